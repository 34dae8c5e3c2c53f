"""The only file that translates what is said of base models and prompts."""

ZH = {
    "'{name}' is {what}, not a Stable Diffusion base model; choose the one to train on.": (
        "“{name}”是{what}，不是 Stable Diffusion 基础模型；选择要在其上训练的模型。"
    ),
    "a LoRA or LyCORIS file": "LoRA 或 LyCORIS 文件",
    "a ControlNet": "ControlNet",
    "a Flux model": "Flux 模型",
    "an SD 3 model": "SD 3 模型",
    "the SDXL refiner": "SDXL refiner",
    "a Textual Inversion embedding": "文本反转嵌入",
    "a VAE alone": "单独的 VAE",
    "a text encoder alone": "单独的文本编码器",
    "a UNet without text encoder and VAE": "没有文本编码器与 VAE 的 UNet",
    "'{name}' is not a Stable Diffusion checkpoint: none of its keys is known.": (
        "“{name}”不是 Stable Diffusion 检查点：没有一个键是已知的。"
    ),
    "'{model}' is not on this machine; `download {again}` brings it, or give a folder or file.": (
        "“{model}”不在本机；用 `download {again}` 下载，或输入文件夹、文件。"
    ),
    "There is no base model '{model}'; give `starter`, a diffusers folder, a .safetensors or a .ckpt file.": (
        "没有基础模型“{model}”；输入 `starter`、diffusers 文件夹、.safetensors 或 .ckpt 文件。"
    ),
    "'{place}' is not a diffusers model: model_index.json or unet/config.json is missing.": (
        "“{place}”不是 diffusers 模型：缺少 model_index.json 或 unet/config.json。"
    ),
    "'{place}' is a {name} model; only Stable Diffusion 1, 2 and SDXL base models are trained.": (
        "“{place}”是 {name} 模型；只能训练 Stable Diffusion 1、2 与 SDXL 基础模型。"
    ),
    "No model is named; choose one, or write its id as OWNER/NAME.": "没有指定模型；选择一个，或写出编号 OWNER/NAME。",
    "'{model}' is not a hub id; write it as OWNER/NAME.": "“{model}”不是模型站编号；写成 OWNER/NAME。",
    "'{mirror}' is not a mirror's address; it begins with https://.": "“{mirror}”不是镜像地址；应以 https:// 开头。",
    "'{model}' is being downloaded already; wait for it, or cancel it there.": (
        "“{model}”已在别处下载；等待，或在那里取消。"
    ),
    "There is no model '{model}' at {host}, or it is private; check the spelling, or give a token in HF_TOKEN.": (
        "{host} 上没有模型“{model}”，或它是私有的；检查拼写，或在 HF_TOKEN 中提供令牌。"
    ),
    (
        "'{model}' is gated: accept its licence on its page at {host}, give your token in HF_TOKEN or by `hf auth "
        "login`, and start again."
    ): "“{model}”受许可限制：在 {host} 的页面接受许可，用 HF_TOKEN 或 `hf auth login` 提供令牌，然后重新开始。",
    "{host} cannot be reached; check the network and the mirror's address.": "无法连接 {host}；检查网络与镜像地址。",
    "{host} did not answer in {n} seconds; try again, or name a mirror.": (
        "{host} 在 {n} 秒内没有回应；重试，或填写镜像。"
    ),
    "{host} does not answer as a model hub; check the mirror's address.": "{host} 不像模型站；检查镜像地址。",
    "The connection to {host} broke off; start again, it goes on from where it was.": (
        "与 {host} 的连接中断；重新开始会从断点继续。"
    ),
    "'{file}' arrived damaged and was thrown away; start the download again.": (
        "“{file}”传输损坏，已丢弃；重新开始下载。"
    ),
    "The disk has {free} free, and '{model}' needs {need}; make room and start again.": (
        "磁盘剩余 {free}，“{model}”需要 {need}；腾出空间后重新开始。"
    ),
    "'{model}' is not a diffusers pipeline; download its .safetensors file by hand and give the path.": (
        "“{model}”不是 diffusers 模型；手动下载其 .safetensors 文件并输入路径。"
    ),
    "'{model}' holds no weights of its {part}; choose another model.": "“{model}”缺少 {part} 的权重；选择其他模型。",
    "'{model}' lacks a part that its index names; download or copy it again.": (
        "“{model}”缺少其索引所列的部分；重新下载或复制。"
    ),
    "A negative prompt calls no files; write '{name}' into the prompt instead.": (
        "负面提示词不能调用文件；把“{name}”写进提示词。"
    ),
    "'{name}' is this run itself, which its samples always show at 1; leave the call out.": (
        "“{name}”就是此训练本身，其采样总以 1 的强度使用它；去掉这个调用。"
    ),
    "an inpainting model": "局部重绘（inpainting）模型",
    "an InstructPix2Pix model": "InstructPix2Pix 模型",
    "an upscaler": "放大模型",
    "a depth model": "深度模型",
    "a Playground model": "Playground 模型",
    "'{name}' is {what}; choose the plain model that it was made from.": "“{name}”是{what}；选择它所基于的普通模型。",
    "'{name}' holds no {part}; choose a whole checkpoint.": "“{name}”缺少 {part}；选择完整的检查点。",
    "'{model}' could not be loaded as {title}: {reason}": "“{model}”无法作为 {title} 加载：{reason}",
    "'{whole}' calls no known kind of file; write <lora:NAME:1> or <hypernet:NAME:1>.": (
        "“{whole}”调用的文件类型未知；写成 <lora:NAME:1> 或 <hypernet:NAME:1>。"
    ),
    "AND draws several prompts at once, which is not done here; write it small, or use BREAK.": (
        "AND 会同时绘制多个提示词，这里不支持；改用小写，或用 BREAK。"
    ),
    (
        "[from:to:when] and [one|other] change the prompt while it is drawn, which is not done here; write one text, "
        "or \\[ for a bracket that is meant as text."
    ): "[from:to:when] 与 [one|other] 会在绘制途中改变提示词，这里不支持；只写一段文字，若要输入方括号本身则写 \\[。",
    "'{whole}' cannot be read: behind the name comes a number, such as {name}:0.8.": (
        "“{whole}”无法识别：名称后应是数字，例如 {name}:0.8。"
    ),
    "{width} wide, the base's {other}": "宽度为 {width}，基础模型为 {other}",
    "The base's {slot} knows {words} words, its token table {rows}.": (
        "基础模型的 {slot} 有 {words} 个词，而词元表有 {rows} 行。"
    ),
    "These vectors are for another model family: they are {wide}.": "这些向量属于另一模型系列：{wide}。",
    "was cancelled": "已取消",
    "was ended from outside": "被外部终止",
    "The download of '{model}' {said}; start it again to go on.": "“{model}”的下载{said}；重新开始可继续。",
    "The download of '{model}' ended by an error of ours: {error}": "“{model}”的下载因程序错误而结束：{error}",
    "A file of '{model}' is no longer at {host}; look at the model again.": (
        "“{model}”的一个文件已不在 {host}；重新查看该模型。"
    ),
    "'{model}' could not be stored: {error}.": "“{model}”无法存储：{error}。",
    "{host} refuses with {status}; {what}": "{host} 以 {status} 拒绝；{what}",
    "give your token in HF_TOKEN and start again.": "在 HF_TOKEN 中提供令牌后重新开始。",
    "try again later.": "稍后再试。",
    "a .safetensors or .ckpt file": " .safetensors 或 .ckpt 文件",
    "'{name}' holds no {part} and no {other}; choose a whole checkpoint.": (
        "“{name}”缺少 {part} 与 {other}；选择完整的检查点。"
    ),
    "'{model}' no longer holds {files}; update the studio, or give a folder.": (
        "“{model}”不再包含 {files}；更新本程序，或给出文件夹。"
    ),
}
