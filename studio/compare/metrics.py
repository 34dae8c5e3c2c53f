"""The only file that lists what is measured: each metric's direction, unit, why it is there and how it misleads."""

from studio.compare import cost, looks
from studio.compare.evidence import Metric

METRICS: tuple[Metric, ...] = (
    Metric(
        "likeness", "Likeness", "score", "higher", 2,
        "How like the samples that call the subject are to pictures of it that were never trained on: "
        "cosine to the nearest held-out picture, mean over the samples.",
        "A copy of a training picture scores well, and so does a background like that of the held-out pictures.",
        looks.likeness, stepwise=True,
    ),
    Metric(
        "prompt_fidelity", "Prompt fit", "score", "higher", 2,
        "How well the samples that call the subject show the rest of their prompt: "
        "cosine to the prompt with the class word in place of the trigger.",
        "The untrained base often leads: it paints the prompt and knows nothing of the subject.",
        looks.prompt_fidelity, stepwise=True,
    ),
    Metric(
        "forgetting", "Forgetting", "score", "lower", 2,
        "How far the pictures of prompts without the trigger moved from the base at equal seeds: one minus the cosine.",
        "A picture may move without becoming worse; nothing learnt at all also scores 0.",
        looks.forgetting, stepwise=True,
    ),
    Metric(
        "drift", "Drift", "score", "lower", 2,
        "How much the pictures of prompts without the trigger became like the subject: "
        "their likeness to it, less that of the base's at equal seeds; 0 where they moved elsewhere.",
        "Where prompts without the trigger name other things than the class, little drift shows.",
        looks.drift,
    ),
    Metric(
        "diversity", "Variety", "score", "higher", 2,
        "How different the samples that call the subject are from each other: "
        "one minus the cosine, mean over pairs of seeds, or over prompts where there is one seed.",
        "Broken pictures differ most of all, and a subject that is always met as itself differs less than the base.",
        looks.diversity,
    ),
    Metric(
        "memorisation", "Copies", "score", "lower", 2,
        "The share of the samples that are nearer to a training picture than any held-out picture of the subject is: "
        "those were copied rather than learnt.",
        "With few samples it moves in large steps, and a subject that is always drawn alike has true pictures that "
        "near.",
        looks.memorisation,
    ),
    Metric(
        "held_out_loss", "Held-out loss", "loss", "lower", 4,
        "Denoising loss on the held-out pictures with noise and timesteps that are the same for every run.",
        "It follows colour and layout more than likeness; differences in the third digit can decide.",
        cost.held_out_loss,
    ),
    Metric(
        "seconds_per_step", "Step", "s", "lower", 3,
        "Wall time of one optimizer update, mean over the run, without samples and checkpoints.",
        "It depends on what else the machine does, and a larger batch makes a step longer.",
        cost.seconds_per_step,
    ),
    Metric(
        "time_to_likeness", "Time to 90%", "time", "lower", 0,
        "Training time until likeness had come nine tenths of the way from the run's first samples to its own best.",
        "It is as fine as the samples are frequent, and a run that learns little is soon at its best.",
        cost.time_to_likeness,
    ),
    Metric(
        "total_seconds", "Time", "time", "lower", 0,
        "Training time to the end of the run, all sittings together, without samples.",
        "The best likeness may have come long before the end.",
        cost.total_seconds,
    ),
    Metric(
        "peak_memory", "Memory", "bytes", "lower", 1,
        "The most memory that was held while training.",
        "On a CPU this is the whole program with the base model, so methods differ less than on a graphics card.",
        cost.peak_memory,
    ),
    Metric(
        "energy", "Energy", "energy", "lower", 1,
        "What the card itself spent in the steps of the training, by its own meter.",
        "Processor, fans and power supply are left out, and what else the card computed meanwhile is counted in.",
        cost.energy,
    ),
    Metric(
        "parameters", "Learns", "count", "lower", 1,
        "How many numbers learn.",
        "Fewer is cheaper, not better by itself.",
        cost.parameters,
    ),
    Metric(
        "artifact_size", "File", "bytes", "lower", 1,
        "Size of the file that is handed on: the smallest of the exports.",
        "An adapter or a word needs its base model beside it; a checkpoint stands alone.",
        cost.artifact_size,
    ),
)  # fmt: skip
STEPWISE = tuple(metric for metric in METRICS if metric.stepwise)
