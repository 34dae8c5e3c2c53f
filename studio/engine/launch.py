"""The only file that reads which kind of training a launcher was asked for, and says what of it cannot be kept."""

import os

from studio.families.prompt import networks
from studio.methods import method
from studio.spec import RunSpec

KINDS = {  # what splits a model in other ways, by the variable in which accelerate's launcher says so
    "DeepSpeed": "ACCELERATE_USE_DEEPSPEED",
    "Megatron-LM": "ACCELERATE_USE_MEGATRON_LM",
    "A parallelism configuration": "ACCELERATE_USE_PARALLELISM_CONFIG",
}
OPTIMIZERS = ("adamw", "lion", "sgd", "schedule-free-adamw")  # those that were seen to move shares as they move wholes


def world_size() -> int:
    """How many processes the launcher started."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_one_of_many() -> bool:
    """True when a launcher started several processes of this program."""
    return world_size() > 1


def asks_to_split() -> bool:
    """True when the launcher was asked for FSDP: weights, gradients and the optimizer's memory split over processes."""
    return _is_on("ACCELERATE_USE_FSDP")


def launch_problems(spec: RunSpec) -> list[str]:
    """What of the launcher's configuration cannot be kept for this run, one sentence each."""
    found = [
        f"{kind} was asked of the launcher, and is not built here; launch with --multi_gpu, or a full fine-tune too "
        "large for that with --use_fsdp --fsdp_version 2."
        for kind, name in KINDS.items()
        if _is_on(name)
    ]
    if asks_to_split():
        found += _adapter(spec) or _configured() + _unsplit(spec) + _calls(spec)
    return found


def _is_on(name: str) -> bool:
    return os.environ.get(name, "").lower() in ("true", "1", "yes")


def _adapter(spec: RunSpec) -> list[str]:
    kind = method(spec.method.kind)
    if kind.splits:
        return []
    return [
        f"FSDP, which splits what learns over processes, was asked of the launcher, but what {kind.title} learns is "
        "small beside the model, or lies apart from it; launch with --multi_gpu instead."
    ]


def _configured() -> list[str]:
    """What of accelerate's FSDP options is otherwise here."""
    said = os.environ.get
    found = []
    if not is_one_of_many():
        found.append("FSDP splits a model over at least two processes; give --num_processes 2 or more.")
    if said("FSDP_VERSION", "1") != "2":
        found.append("FSDP is here PyTorch's second; add --fsdp_version 2 (fsdp_version: 2 in a configuration file).")
    elif said("FSDP_RESHARD_AFTER_FORWARD", "true").lower() not in ("true", "1", "yes"):
        found.append("FSDP keeps no block whole between its uses here; set --fsdp_reshard_after_forward true.")
    if _is_on("FSDP_OFFLOAD_PARAMS"):
        found.append("FSDP keeps each share on its graphics card here; set --fsdp_offload_params false.")
    if _is_on("FSDP_ACTIVATION_CHECKPOINTING"):
        text = "set machine.gradient_checkpointing = true, and --fsdp_activation_checkpointing false."
        found.append(f"What FSDP calls activation checkpointing is the spec's matter here: {text}")
    if said("FSDP_IGNORED_MODULES"):
        found.append("FSDP splits the whole UNet here; leave --fsdp_ignored_modules away.")
    return found


def _unsplit(spec: RunSpec) -> list[str]:
    """What of the spec was not seen to hold where weights are split."""
    optim, machine = spec.optim, spec.machine
    why = {
        f"optim.name = {optim.name}; take one of {', '.join(OPTIMIZERS)}": optim.name not in OPTIMIZERS,
        f"optim.ema = {optim.ema:g}; set it to 0, or take schedule-free-adamw, which averages too": optim.ema > 0,
        "optim.fused_backward = true; set it to false": optim.fused_backward,
        f"optim.weights = {optim.weights}; set it to fp32": optim.weights != "fp32",
        f"machine.split = {machine.split}; set it to 1, and schedule.batch_size lower": machine.split > 1,
        "machine.compile = true; set it to false": machine.compile,
        "machine.channels_last = true; set it to false": machine.channels_last,
        f"machine.quantize = {machine.quantize}; set it to off": machine.quantize != "off",
        "machine.precision = fp16, whose loss scaler needs whole gradients; set it to bf16 or fp32": (
            machine.precision == "fp16"
        ),
        "method.train_text_encoder = true, for only the UNet is split; set it to false": bool(
            getattr(spec.method, "train_text_encoder", False)
        ),
    }
    return [f"FSDP does not go with {what}." for what, on in why.items() if on]


def _calls(spec: RunSpec) -> list[str]:
    """Files in sample prompts are added to whole weights."""
    called = {network.name for prompt in spec.prompts() for network in networks(prompt)[1]} - {spec.file_name}
    if not called:
        return []
    return [f"FSDP does not go with files in sample prompts ({', '.join(sorted(called))}); leave their calls out."]
