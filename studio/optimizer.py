"""The only file that says which optimizers there are, what may be set about them, and which settings contradict."""

from typing import Literal

from pydantic import Field

from studio.plan import MachineSpec
from studio.schedule import ScheduleSpec, stepped
from studio.section import Section

OWN_BETA2 = {"lion": 0.99, "lion8bit": 0.99}  # the rest have Adam's
BETA2 = 0.999
NEAR_ONE = (0.1, 10.0)  # rates that make sense where the optimizer finds the rate and ours only multiplies it


class OptimSpec(Section):
    """How what learns is changed at each step."""

    name: Literal[
        "adamw",
        "adamw8bit",
        "paged-adamw8bit",
        "lion",
        "lion8bit",
        "adafactor",
        "prodigy",
        "schedule-free-adamw",
        "sgd",
    ] = "adamw"
    """The optimizer. The 8-bit ones (bitsandbytes) need a quarter of the memory for their state, adafactor almost none;
    lion wants a third to a tenth of AdamW's rate, prodigy finds its own, schedule-free-adamw needs no schedule."""
    lr: float = Field(1e-4, gt=0, le=100)
    """Learning rate: how far each step goes. With prodigy it multiplies the rate that is found: leave it at 1."""
    lr_text: float = Field(0.0, ge=0, le=100)
    """Learning rate of the text encoder where it learns; 0 means the same as the rest."""
    lr_text_2: float = Field(0.0, ge=0, le=100)
    """Learning rate of the second text encoder, where the base has one; 0 means the same as lr_text."""
    lr_tokens: float = Field(0.0, ge=0, le=100)
    """Learning rate of the rows of a new word; 0 means the same as the rest."""
    weight_decay: float = Field(0.01, ge=0, le=1)
    """Pull the weights towards zero at each step; what a method adds starts at zero, so this restrains it."""
    beta1: float = Field(0.9, ge=0, lt=1)
    """Memory of the gradient's direction (momentum); adafactor keeps none."""
    beta2: float = Field(0.0, ge=0, lt=1)
    """Memory of the gradient's size; 0 takes the optimizer's own: 0.999, and 0.99 for lion."""
    clip: float = Field(1.0, ge=0)
    """Shorten gradients that are longer than this; 0 never does."""
    ema: float = Field(0.0, ge=0, lt=1)
    """Keep a running average of what is learnt, and draw, judge and save that: 0.99 for hundreds of steps, 0.9999 for
    many thousands; it begins shorter and grows to this. 0 is off."""
    ema_on: Literal["device", "cpu"] = "device"
    """Where the average is kept: the CPU spares memory on the graphics card and costs a copy at each step."""
    fused_backward: bool = False
    """Change each weight as soon as its gradient is there and drop that, so that gradients never all exist: the same
    steps in much less memory. For methods that train every weight; needs clip = 0, accumulation = 1 and split = 1."""
    weights: Literal["fp32", "bf16"] = "fp32"
    """Number format in which a method that trains every weight keeps them: bf16 takes half the memory, and each update
    is computed in fp32 and rounded up or down by chance, so that small steps are not lost."""

    @property
    def betas(self) -> tuple[float, float]:
        """Both memories, the optimizer's own where none is set."""
        return self.beta1, self.beta2 or OWN_BETA2.get(self.name, BETA2)

    def rate(self, part: str) -> float:
        """The learning rate of unet, text, text_2 or tokens."""
        text = self.lr_text or self.lr
        return {"text": text, "text_2": self.lr_text_2 or text, "tokens": self.lr_tokens}.get(part, 0.0) or self.lr

    def problems(self, schedule: ScheduleSpec) -> list[str]:
        """What contradicts, one sentence each that says what to do."""
        if self.name == "prodigy":
            return self._not_near_one(schedule)
        if self.name == "schedule-free-adamw":
            return self._not_free(schedule)
        return []

    def small_problems(self, schedule: ScheduleSpec, machine: MachineSpec, whole: bool) -> list[str]:
        """What cannot go with the two ways of a full fine-tune on little memory, one sentence each.

        ``whole`` says that the method trains every weight.
        """
        found = []
        asked = {"optim.fused_backward = true": self.fused_backward, "optim.weights = bf16": self.weights != "fp32"}
        for key in (key for key, on in asked.items() if on):
            if not whole:
                text = "is for dreambooth and full, which train every weight; what else learns is small. Leave it off."
                found.append(f"{key} {text}")
            if self.name == "prodigy":
                text = "changes one weight at a time, and prodigy needs all gradients at once; take another optimizer."
                found.append(f"{key} {text}")
        if self.weights == "bf16" and self.name == "schedule-free-adamw":
            text = "its average lies within the weights, which bf16 blurs; set optim.weights to fp32."
            found.append(f"schedule-free-adamw cannot go with optim.weights = bf16: {text}")
        if self.weights == "bf16" and machine.precision not in ("auto", "bf16"):
            text = f"machine.precision is {machine.precision}; set that to bf16, or optim.weights to fp32."
            found.append(f"optim.weights = bf16 saves memory only where the arithmetic is bf16 too, and {text}")
        return found + (self._not_fused(schedule, machine) if self.fused_backward else [])

    def _not_fused(self, schedule: ScheduleSpec, machine: MachineSpec) -> list[str]:
        """What needs all gradients of a step together."""
        why = {
            f"schedule.accumulation = 1 (now {schedule.accumulation}; a larger batch_size does the same)": (
                "adds up no gradients of several batches",
                schedule.accumulation > 1,
            ),
            f"machine.split = 1 (now {machine.split})": ("adds up no gradients of parts", machine.split > 1),
            f"optim.clip = 0 (now {self.clip:g})": (
                "cannot shorten gradients by their common length, which is known only after the last of them",
                self.clip > 0,
            ),
            "machine.precision to bf16 or fp32 (now fp16)": (
                "cannot take back a step that fp16's loss scaler finds too large when half of it is done",
                machine.precision == "fp16",
            ),
        }
        return [f"optim.fused_backward {reason}; set {what}." for what, (reason, on) in why.items() if on]

    def _not_near_one(self, schedule: ScheduleSpec) -> list[str]:
        low, high = NEAR_ONE
        rates = {key: getattr(self, key) for key in ("lr", "lr_text", "lr_text_2", "lr_tokens")}
        if schedule.rates:
            rates["lr"] = max(rate for rate, _ in stepped(schedule.rates))
        said = "prodigy finds the learning rate itself, and {key} only multiplies it: set it to 1 (now {value:g})."
        return [
            said.format(key="schedule.rates" if key == "lr" and schedule.rates else f"optim.{key}", value=value)
            for key, value in rates.items()
            if value and not low <= value <= high
        ]

    def _not_free(self, schedule: ScheduleSpec) -> list[str]:
        found = []
        if schedule.rates or schedule.kind != "constant":
            what = "schedule.rates empty" if schedule.rates else "schedule.kind = constant"
            found.append(f"schedule-free-adamw averages instead of lowering its rate; set {what} (a warm-up may stay).")
        if self.ema:
            found.append("schedule-free-adamw draws and saves an average already; set optim.ema to 0.")
        if not self.beta1:
            found.append("schedule-free-adamw needs optim.beta1 above 0; 0.9 is usual.")
        return found
