"""The only file that decides how a run uses a machine, each decision with its reason; it never asks the machine."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from pydantic import Field

from studio.section import Section

Precision = Literal["fp32", "fp16", "bf16"]
PLAIN_OF = {"adamw8bit": "adamw", "paged-adamw8bit": "adamw", "lion8bit": "lion"}
EIGHT_BIT = tuple(PLAIN_OF)
BITS = {"int8": "8", "nf4": "4"}
SMALL = 16 * 2**30  # bytes of a card on which an SDXL UNet and what surrounds it do not work side by side
PIXEL = 3 * 2**10  # bytes for each pixel that the VAE decodes in float32
RESERVED = 2**30  # bytes of a small card for what stays beside a decoding VAE
UNET = 6 * 2**30  # bytes of a large card for an SDXL UNet besides
NAMES = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}


class MachineSpec(Section):
    """How the run uses this machine."""

    device: Literal["auto", "cuda", "mps", "xpu", "cpu"] = "auto"
    """Where to train; auto takes the graphics card if there is one."""
    precision: Literal["auto", "bf16", "fp16", "fp32"] = "auto"
    """Number format of the frozen model and the arithmetic, falling back bf16, fp16, fp32; optim.weights is another
    matter: what learns."""
    save_precision: Literal["auto", "bf16", "fp16", "fp32"] = "auto"
    """Number format of the exported files; auto is fp16, which every program reads."""
    attention: Literal["auto", "xformers", "sdpa"] = "auto"
    """Attention kernels: xformers where it is installed and really runs, else PyTorch's own."""
    gradient_checkpointing: bool = False
    """Compute activations twice instead of keeping them: about a third slower, much less memory."""
    split: int = Field(1, ge=1, le=1024)
    """Work through each batch in so many parts: the same pictures, noise and gradient in less memory, slower."""
    offload: bool = True
    """On a graphics card: text encoders and VAE wait in the computer's memory while no step needs them."""
    channels_last: bool = False
    """Keep the UNet's convolutions channels-last in memory: faster on most cards with tensor cores in 16 bits."""
    quantize: Literal["off", "int8", "nf4"] = "off"
    """Hold the UNet's frozen linear layers in 8 or 4 bits (bitsandbytes): an SDXL UNet takes 2.7 or 1.8 GB instead of
    4.8; slower, a little less exact, and not for methods that change the weights themselves."""
    compile: bool = False
    """Compile the UNet's transformer blocks (torch.compile): a slow start, then faster steps on a graphics card."""

    def problems(self, title: str, whole: bool, partial: bool) -> list[str]:
        """What the method called ``title`` cannot have of these; ``whole`` and ``partial`` are as `Method` has them."""
        found = []
        if whole and self.quantize != "off":
            found.append(f"{title} changes the weights themselves, which few bits cannot; set machine.quantize = off.")
        if partial and self.compile:
            found.append(
                f"{title} learns by other layers at every step, each compiled anew; set machine.compile = false."
            )
        return found


@dataclass(frozen=True)
class Hardware:
    """What the machine is.

    ``memory``, ``free`` (of the device, when it was asked) and ``ram`` are bytes; ``capability`` is CUDA's, ``arches``
    what this PyTorch has kernels for, ``driver`` the newest CUDA that the driver runs. ``probes`` maps a feature to ""
    (works) or to why not; "card" is why a card that is there is not used.
    """

    device: str = "cpu"
    name: str = "CPU"
    memory: int = 0
    ram: int = 0
    cores: int = 1
    capability: tuple[int, int] | None = None
    bf16: bool = False
    fp16: bool = False
    probes: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    free: int = 0
    arches: tuple[str, ...] = ()
    driver: str = ""


@dataclass(frozen=True)
class Choice:
    """One decision: ``what`` was decided, the ``choice``, and the ``reason`` in one sentence."""

    what: str
    choice: str
    reason: str


@dataclass(frozen=True)
class Plan:
    """How a run will use the machine; every deviation from the wish has its sentence in ``choices``."""

    device: str
    compute: Precision
    save: Precision
    scaler: bool
    attention: Literal["xformers", "sdpa"]
    optimizer: str
    gradient_checkpointing: bool
    choices: tuple[Choice, ...]
    split: int = 1
    offload: bool = False
    channels_last: bool = False
    quantize: Literal["off", "int8", "nf4"] = "off"
    compile: str = ""
    """What compiles the blocks, as torch.compile names it; empty leaves them as they are."""
    one_at_a_time: bool = False
    """Text encoders, UNet and VAE take turns on the device while pictures are drawn or encoded."""
    tile: int = 0
    """Sides in pixels above which pictures are decoded in tiles of that side; 0 never."""

    @property
    def loaded(self) -> tuple[object, ...]:
        """What the weights of a loaded base depend on: plans equal in it can use the same one."""
        return (self.device, self.compute, self.attention, self.channels_last, self.quantize)

    def as_dict(self) -> dict[str, Any]:
        """Plain values for ``plan.json``."""
        return asdict(self)


def decide(hw: Hardware, wish: MachineSpec, optimizer: str) -> Plan:
    """Turn wishes into a plan that this machine can keep. Pure: the same arguments give the same plan.

    The VAE is no matter of the plan: it computes in float32 on every machine, since SDXL's overflows in float16.
    """
    choices: list[Choice] = []
    device = _device(hw, wish.device, choices)
    on_cpu = device == "cpu"
    compute = _precision(hw, wish.precision, on_cpu, choices)
    save = _save_precision(hw, wish.save_precision, choices)
    attention = _attention(hw, wish.attention, on_cpu, choices)
    optimizer = _optimizer(hw, optimizer, choices)
    quantize = _quantize(hw, wish.quantize, choices)
    compiler = _compiler(hw, wish.compile, (on_cpu, quantize != "off"), choices)
    offload = wish.offload and not on_cpu
    small = offload and 0 < hw.memory < SMALL and device != "mps"  # whose memory is the computer's
    if small:
        choices.append(Choice("preview", "one part at a time", _why_small(hw)))
    return Plan(
        device=device,
        compute=compute,
        save=save,
        scaler=compute == "fp16" and not on_cpu,
        attention=attention,
        optimizer=optimizer,
        gradient_checkpointing=wish.gradient_checkpointing,
        choices=tuple(choices),
        split=wish.split,
        offload=offload,
        channels_last=wish.channels_last,
        quantize=quantize,
        compile=compiler,
        one_at_a_time=small,
        tile=_tile(hw, small) if not on_cpu else 0,
    )


def _device(hw: Hardware, wish: str, choices: list[Choice]) -> str:
    trouble = hw.probes.get("card", "")
    if trouble and wish != "cpu":
        choices.append(Choice("device", hw.device, f"The graphics card is not used: {trouble} `doctor` says more."))
        return hw.device
    if wish in ("auto", hw.device, "cpu"):
        return hw.device if wish == "auto" else wish
    choices.append(Choice("device", hw.device, f"{wish} was asked for, but this machine has none; using {hw.name}."))
    return hw.device


def _optimizer(hw: Hardware, wish: str, choices: list[Choice]) -> str:
    trouble = hw.probes.get("bitsandbytes", "it was not probed.")
    if wish not in EIGHT_BIT or not trouble:
        return wish
    plain = PLAIN_OF[wish]
    choices.append(Choice("optimizer", plain, f"{wish} needs bitsandbytes: {trouble} Using {plain}."))
    return plain


def _quantize(
    hw: Hardware, wish: Literal["off", "int8", "nf4"], choices: list[Choice]
) -> Literal["off", "int8", "nf4"]:
    if wish == "off":
        return "off"
    trouble = hw.probes.get(wish, "it was not probed.")
    if trouble:
        text = f"machine.quantize = {wish} needs bitsandbytes: {trouble} The base keeps its full width."
        choices.append(Choice("quantize", "off", text))
        return "off"
    text = f"The UNet's frozen linear layers are held in {BITS[wish]} bits; what learns keeps its full width."
    choices.append(Choice("quantize", wish, text))
    return wish


def _compiler(hw: Hardware, wish: bool, state: tuple[bool, bool], choices: list[Choice]) -> str:
    """The compiler to use, "" for none; ``state`` says whether all happens on a processor, and whether in few bits."""
    if not wish:
        return ""
    on_cpu, quantized = state
    trouble = hw.probes.get("compiler", "it was not probed.")
    if on_cpu:
        text = "Compiled blocks pay on a graphics card only; not compiling."
    elif hw.device == "mps":
        text = "PyTorch does not yet compile training for Apple GPUs; not compiling."
    elif quantized:
        text = "Layers held in few bits are unpacked by bitsandbytes, which is not compiled; not compiling."
    elif trouble:
        text = f"torch.compile is not usable here: {trouble} Not compiling."
    else:
        text = "The UNet's transformer blocks are compiled; the first steps take minutes."
        choices.append(Choice("compile", "inductor", text))
        return "inductor"
    choices.append(Choice("compile", "off", text))
    return ""


def _why_small(hw: Hardware) -> str:
    size = f"{hw.memory / 2**30:.0f} GB"
    return f"{hw.name} has {size}: text encoders, UNet and VAE take turns on it while pictures are drawn or encoded."


def _tile(hw: Hardware, small: bool) -> int:
    """The largest side that the VAE decodes whole on a card of this size, in steps of 64 pixels; 0 where unknown."""
    if not hw.memory:
        return 0
    room = max(hw.memory * 3 // 4 - RESERVED - (0 if small else UNET), 512 * 512 * PIXEL)
    return int((room / PIXEL) ** 0.5) // 64 * 64


def _precision(hw: Hardware, wish: str, on_cpu: bool, choices: list[Choice]) -> Precision:
    bf16 = hw.bf16 and (hw.device == "cpu") == on_cpu
    fp16 = hw.fp16 and not on_cpu
    where = "this processor" if on_cpu and hw.device != "cpu" else hw.name
    if wish == "auto":
        best: Precision = "fp32" if on_cpu else "bf16" if bf16 else "fp16" if fp16 else "fp32"
        choices.append(Choice("precision", best, f"{NAMES[best]} chosen for {where}: {_why_best(on_cpu, bf16)}."))
        return best
    if wish == "bf16" and not bf16:
        fallback: Precision = "fp16" if fp16 else "fp32"
        more = " with a loss scaler" if fallback == "fp16" else ""
        choices.append(
            Choice("precision", fallback, f"{_begin(where)} has no bfloat16; using {NAMES[fallback]}{more}.")
        )
        return fallback
    if wish == "fp16" and not fp16:
        choices.append(Choice("precision", "fp32", f"{_begin(where)} does not train in float16; using float32."))
        return "fp32"
    choices.append(Choice("precision", wish, f"{NAMES[wish]} as asked for; {where} computes in it."))
    return wish  # type: ignore[return-value]


def _why_best(on_cpu: bool, bf16: bool) -> str:
    """What speaks for auto's choice.

    Of a processor with bfloat16 units: the starter's steps are 5 to 25 % slower in it (one method is faster), those of
    Stable Diffusion 1.5 take half the time.
    """
    if not on_cpu:
        return "it is the fastest format that it computes in"
    if bf16:
        return "it is exact; models larger than the starter train faster here with machine.precision = bf16"
    return "it is exact, and nothing faster is known of this processor"


def _begin(text: str) -> str:
    return text[0].upper() + text[1:]


def _save_precision(hw: Hardware, wish: str, choices: list[Choice]) -> Precision:
    if wish == "auto":
        choices.append(Choice("save_precision", "fp16", "Files are saved in float16, which every program reads."))
        return "fp16"
    if wish == "bf16" and not hw.bf16:
        text = f"{hw.name} has no bfloat16, so it could not use such a file itself; saving in float16."
        choices.append(Choice("save_precision", "fp16", text))
        return "fp16"
    return wish  # type: ignore[return-value]


def _attention(hw: Hardware, wish: str, on_cpu: bool, choices: list[Choice]) -> Literal["xformers", "sdpa"]:
    broken = "it runs on CUDA cards only." if on_cpu else hw.probes.get("xformers", "it was not probed.")
    if wish == "sdpa":
        return "sdpa"
    if wish == "auto" and broken:
        reason = f"PyTorch's own attention; xformers is not usable here: {broken}"
        choices.append(Choice("attention", "sdpa", reason))
        return "sdpa"
    if broken:
        choices.append(
            Choice("attention", "sdpa", f"xformers was asked for, but {broken} Using PyTorch's own attention.")
        )
        return "sdpa"
    choices.append(Choice("attention", "xformers", "xformers answered a real call on this card."))
    return "xformers"
