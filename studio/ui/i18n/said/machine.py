"""The only file that translates what is said of the machine."""

ZH = {
    "{where} has no bfloat16; using float32.": "{where} 不支持 bfloat16，改用 float32。",
    "{where} does not train in float16; using float32.": "{where} 不能用 float16 训练，改用 float32。",
    "This processor": "此处理器",
    "Files are saved in float16, which every program reads.": "文件以 float16 保存，所有程序都能读取。",
    "PyTorch's own attention; xformers is not usable here: {why}": (
        "使用 PyTorch 自带的注意力；xformers 在此不可用：{why}"
    ),
    "it runs on CUDA cards only.": "它只在 CUDA 显卡上运行。",
    "{precision} as asked for; {where} computes in it.": "按要求使用 {precision}；{where} 可以用它计算。",
    "xformers answered a real call on this card.": "xformers 在此显卡上实际运行成功。",
    "xformers was asked for, but {broken} Using PyTorch's own attention.": (
        "要求使用 xformers，但{broken} 改用 PyTorch 自带的注意力。"
    ),
    "{device} was asked for, but this machine has none; using {name}.": "要求使用 {device}，但本机没有；改用 {name}。",
    "this processor": "此处理器",
    "it is exact; models larger than the starter train faster here with machine.precision = bf16": (
        "精确；比 starter 大的模型在此用 machine.precision = bf16 训练更快"
    ),
    "it is exact, and nothing faster is known of this processor": "精确，且未发现此处理器有更快的格式",
    "it is the fastest format that it computes in": "它能计算的最快格式",
    "{format} chosen for {name}: {why}.": "为 {name} 选择 {format}：{why}。",
    "{where} has no bfloat16; using {format}.": "{where} 不支持 bfloat16，改用 {format}。",
    "{name} has no bfloat16, so it could not use such a file itself; saving in float16.": (
        "{name} 不支持 bfloat16，自己无法使用这样的文件；以 float16 保存。"
    ),
    "The graphics card is not used: {trouble} `doctor` says more.": "没有使用显卡：{trouble} 用 `doctor` 查看详情。",
    "The graphics card is not used: {trouble}": "没有使用显卡：{trouble}",
    "this PyTorch cannot compute on {name}, which needs {kernels}.": (
        "当前 PyTorch 无法在 {name} 上计算，它需要 {kernels}。"
    ),
    "it is not installed.": "未安装。",
    "it is installed but its kernels do not run ({error}).": "已安装，但其内核无法运行（{error}）。",
    "it is installed but its optimizer step does nothing.": "已安装，但其优化器更新没有效果。",
    "it is installed but does not run ({error}).": "已安装，但无法运行（{error}）。",
    "Type: {command}": "输入：`{command}`",
    "{install} --torch-index URL (see --help), with a PyTorch that has its kernels.": (
        "{install} --torch-index URL（见 --help），换成支持此显卡的 PyTorch。"
    ),
    "for {arches}; the card is sm_{capability}": "支持 {arches}；此显卡为 sm_{capability}",
    "No graphics card was found; the embedded model trains here.": "没有找到显卡；内置模型可以在此训练。",
    "Runs that ask for bf16 use fp16 with a loss scaler, and say so.": (
        "要求 bf16 的训练会改用 fp16 加损失缩放，并注明。"
    ),
    "{consequence} To add it, type: {command}": "{consequence} 如需安装，输入：`{command}`",
    "PyTorch's own attention is used instead; nothing is lost but some speed.": (
        "改用 PyTorch 自带的注意力；只是稍慢一些。"
    ),
    "8-bit optimizers fall back to plain ones, which need more memory.": "8 位优化器会改用普通版本，占用更多内存。",
    "Close other programs that hold it before a run.": "训练前关闭占用它的其他程序。",
    "not needed here: it runs on CUDA cards only": "此处不需要：它只在 CUDA 显卡上运行",
    "Free some space before a long run.": "长时间训练前先腾出空间。",
    "runs CUDA up to {driver}": "最高支持 CUDA {driver}",
    "{version}, answered a real call": "{version}，实际调用成功",
    "{free} of {memory} GB free": "共 {memory} GB，可用 {free} GB",
    "{format} with a loss scaler": "{format} 加损失缩放",
    "it pays on graphics cards only.": "只在显卡上有用。",
    "Triton is not installed.": "未安装 Triton。",
    "Triton is installed but does not load ({error}).": "已安装 Triton，但无法载入（{error}）。",
    "Triton and a C compiler are there": "Triton 与 C 编译器均已就绪",
    "not needed here: it pays on graphics cards only": "此处不需要：它只在显卡上有用",
    "{n} bits, answered a real call": "{n} 位，实际调用成功",
    "With machine.quantize = {kind} the base keeps its full width.": (
        "设 machine.quantize = {kind} 时基础模型保持完整精度。"
    ),
    "With machine.compile = true nothing is compiled. To add it, type: {command}": (
        "设 machine.compile = true 时不会编译。如需安装，输入：`{command}`"
    ),
    "there is no C compiler; install gcc.": "没有 C 编译器；安装 gcc。",
    "its {kind} does not give back what was put in.": "其 {kind} 还原的数值不对。",
    "its {kind} does not run ({error}).": "其 {kind} 无法运行（{error}）。",
    "The UNet's frozen linear layers are held in {n} bits; what learns keeps its full width.": (
        "UNet 中冻结的线性层以 {n} 位保存；可训练部分保持完整精度。"
    ),
    "{name} has {n} GB: text encoders, UNet and VAE take turns on it while pictures are drawn.": (
        "{name} 有 {n} GB：采样时文本编码器、UNet 与 VAE 轮流使用。"
    ),
    "machine.quantize = {wish} needs bitsandbytes: {trouble} The base keeps its full width.": (
        "machine.quantize = {wish} 需要 bitsandbytes：{trouble} 基础模型保持完整精度。"
    ),
    "Compiled blocks pay on a graphics card only; not compiling.": "编译只在显卡上有用；不编译。",
    "PyTorch does not yet compile training for Apple GPUs; not compiling.": (
        "PyTorch 尚不能为 Apple GPU 编译训练；不编译。"
    ),
    "Layers held in few bits are unpacked by bitsandbytes, which is not compiled; not compiling.": (
        "低位数的层由 bitsandbytes 解包，无法编译；不编译。"
    ),
    "torch.compile is not usable here: {trouble} Not compiling.": "torch.compile 在此不可用：{trouble} 不编译。",
    "The UNet's transformer blocks are compiled; the first steps take minutes.": (
        "已编译 UNet 的 transformer 块；最初几步需要数分钟。"
    ),
    "one part at a time": "逐个部分",
    "{name} has {size}: text encoders, UNet and VAE take turns on it while pictures are drawn or encoded.": (
        "{name} 有 {size}：采样或编码时文本编码器、UNet 与 VAE 轮流使用。"
    ),
    "{title} changes the weights themselves, which few bits cannot; set machine.quantize = off.": (
        "{title} 直接改动权重，低位数做不到；设 machine.quantize = off。"
    ),
    "{title} learns by other layers at every step, each compiled anew; set machine.compile = false.": (
        "{title} 每步使用不同的层，每次都要重新编译；设 machine.compile = false。"
    ),
}
