"""The only file that translates what is said of the files that are read and written."""

ZH = {
    "{path} holds no weights; choose another file.": "{path} 不含权重；选择其他文件。",
    "There are no LoRA weights.": "没有 LoRA 权重。",
    "its DoRA scales are per input, which cannot be continued here; only per output can.": (
        "其 DoRA 缩放按输入计，无法在此继续训练；只支持按输出计。"
    ),
    "{path} does not read back as it was written; save it again.": "{path} 读回的内容与写入的不同；重新保存。",
    "its metadata '{key}' is no JSON; save the file again.": "其元数据“{key}”不是 JSON；重新保存该文件。",
    "'{module}' has only one half of its LoRA.": "“{module}”的 LoRA 只有一半。",
    "'{module}' has halves that do not fit: {down} and {up}.": "“{module}”的两半不匹配：{down} 与 {up}。",
    "'{module}' has no alpha above 0, so its scale is not known.": "“{module}”没有大于 0 的 alpha，缩放未知。",
    "A single file cannot be written for the family '{family}'; save a diffusers folder.": (
        "“{family}”系列无法写成单个文件；保存为 diffusers 文件夹。"
    ),
    "A single file cannot be written without {parts}.": "缺少 {parts}，无法写成单个文件。",
    "The text encoder has no position embedding; only CLIP text encoders can be written.": (
        "文本编码器没有位置嵌入；只能写出 CLIP 文本编码器。"
    ),
    "{path} cannot be written: {error}; free some space or choose another folder.": (
        "{path} 无法写入：{error}；腾出空间或换一个文件夹。"
    ),
    "{path} does not exist or is not a file; choose {what}.": "{path} 不存在或不是文件；选择{what}。",
    "a .safetensors file": " .safetensors 文件",
    "cut short": "被截断",
    "longer than its header says": "比文件头所写的更长",
    "{path} is {fault}: it has {size} bytes instead of {wanted}; download or save it again.": (
        "{path} {fault}：应有 {wanted} 字节，实为 {size} 字节；重新下载或保存。"
    ),
    "{path} is not a safetensors file; choose another one or download it again.": (
        "{path} 不是 safetensors 文件；选择其他文件或重新下载。"
    ),
    "{path} is cut short: it ends inside its header; download or save it again.": (
        "{path} 被截断：在文件头内就已结束；重新下载或保存。"
    ),
    "'{name}' holds NaN or infinity and is not saved; go back to an earlier checkpoint.": (
        "“{name}”含有 NaN 或无穷大，没有保存；回到更早的检查点。"
    ),
    "{path} is damaged: its header cannot be read; download it again.": "{path} 已损坏：文件头无法读取；重新下载。",
    "{path} cannot be read: {error}; download it again.": "{path} 无法读取：{error}；重新下载。",
    "'{name}' does not fit into {format}; save it as bf16 or fp32 instead.": (
        "“{name}”超出 {format} 的范围；改存为 bf16 或 fp32。"
    ),
    "{path} is not written: its metadata '{key}' is not text.": "{path} 没有写出：其元数据“{key}”不是文本。",
    "{path} was not written as intended: names or metadata differ; save it again.": (
        "{path} 写入有误：名称或元数据不同；重新保存。"
    ),
    "{path} is damaged: its header does not describe '{name}'; download it again.": (
        "{path} 已损坏：文件头没有描述“{name}”；重新下载。"
    ),
    "{path} was not written as intended: '{name}' differs; save it again.": "{path} 写入有误：“{name}”不同；重新保存。",
    "a Textual Inversion file": "文本反转文件",
    "a hypernetwork file": "超网络文件",
    "a LoRA file": "LoRA 文件",
    "An embedding for {parts} cannot be written: it needs text_encoder.": (
        "无法写出用于 {parts} 的嵌入：缺少 text_encoder。"
    ),
    "'{name}' also holds vectors of the text encoder's output, which are left out.": (
        "“{name}”还含有文本编码器输出的向量，已略去。"
    ),
    "{path} is not {what} that is known here: it holds {names}.": "{path} 不是此处已知的{what}：其内容为 {names}。",
    "{path} carries no embedding: web pages take it out; get the original or the .pt file.": (
        "{path} 不含嵌入：网页会去掉它；取得原图或 .pt 文件。"
    ),
    "{path} is not {what}: it holds a {type}.": "{path} 不是{what}：其内容为 {type}。",
    "{path}: vectors of the shape {shapes} are no embedding; each part needs the same rows.": (
        "{path}：形状为 {shapes} 的向量不是嵌入；各部分的行数须相同。"
    ),
    "{path} does not exist or is no picture; choose {what}.": "{path} 不存在或不是图片；选择{what}。",
    "{path} carries a damaged embedding; download it again.": "{path} 中的嵌入已损坏；重新下载。",
    "{name} was not written: {tensor} is not finite; lower the learning rate.": (
        "{name} 没有写出：{tensor} 不是有限数值；降低学习率。"
    ),
    "'{name}' is not a hypernetwork: it holds no pairs of networks.": "“{name}”不是超网络：其中没有成对的网络。",
    "'{name}' has no place in a single-file checkpoint; save a diffusers folder instead.": (
        "“{name}”无法放入单文件检查点；改存为 diffusers 文件夹。"
    ),
    "{name} was not written: {algorithm} has no key {keys}.": "{name} 没有写出：{algorithm} 没有键 {keys}。",
    "{path} does not read back as it was written: {module} differs; save it again.": (
        "{path} 读回的内容与写入的不同：{module} 有差异；重新保存。"
    ),
    "{path} cannot be used: '{name}' is no part of a LoRA or LyCORIS file that is known here.": (
        "{path} 无法使用：“{name}”不是此处已知的 LoRA 或 LyCORIS 文件的部分。"
    ),
    "'{name}' has no counterpart in this base model; the file is for another model family.": (
        "“{name}”在此基础模型中没有对应；该文件属于另一模型系列。"
    ),
    "{path} cannot be used: '{name}' is no part of an embedding that is known here.": (
        "{path} 无法使用：“{name}”不是此处已知的嵌入的部分。"
    ),
    "'{family}' is not a known model family; there are {families}.": "“{family}”不是已知的模型系列；可用 {families}。",
    "'{name}' is not the weight of a LoRA.": "“{name}”不是 LoRA 的权重。",
    "'{path}' does not begin with one of {prefixes}.": "“{path}”的开头不是以下之一：{prefixes}。",
    "'{name}' is not the weight of a LoRA; other kinds of adapter cannot be read here.": (
        "“{name}”不是 LoRA 的权重；这里不能读取其他类型的适配器。"
    ),
    "'{name}' has no place in an OpenCLIP text encoder; save a diffusers folder instead.": (
        "“{name}”无法放入 OpenCLIP 文本编码器；改存为 diffusers 文件夹。"
    ),
    "The text encoder's layer {layer} lacks query, key or value.": (
        "文本编码器的第 {layer} 层缺少 query、key 或 value。"
    ),
    "{path} cannot be read safely: it is damaged or wants to run code.": (
        "{path} 无法安全读取：已损坏，或试图运行代码。"
    ),
    "{path} does not read back as diffusers reads it: {part} differs in {what}.": (
        "{path} 用 diffusers 读回时不同：{part} 的 {what} 有差异。"
    ),
    "{path} does not read back as it was written: '{key}' is another tensor.": (
        "{path} 读回的内容与写入的不同：“{key}”是另一个张量。"
    ),
    "no known algorithm holds {parts}": "没有已知算法含有 {parts}",
    "{path} is no picture that can be read.": "{path} 不是可读取的图片。",
    "did you mean {names}?": "是否指 {names}？",
    "put the file into {folder}, or name it right.": "把文件放入 {folder}，或改正名称。",
    "'{name}' is in two places, {one} and {other}; rename one of them.": (
        "“{name}”有两处：{one} 与 {other}；给其中一个改名。"
    ),
    "There is no folder '{folder}' to look for files in.": "没有可查找文件的文件夹“{folder}”。",
    "{path} holds a {type} and no model; choose another file.": "{path} 的内容为 {type}，不是模型；选择其他文件。",
    "wants to run code": "试图运行代码",
    "is cut short or damaged": "被截断或已损坏",
    "{path} {what} and is not opened; download it again, best as .safetensors.": (
        "{path} {what}，没有打开；重新下载，最好是 .safetensors。"
    ),
    "{path} is a web page and not a model: the download needs a login or a licence accepted; download it again.": (
        "{path} 是网页而不是模型：下载需要登录或接受许可；重新下载。"
    ),
    "{path} is only a Git LFS pointer: fetch the file itself with `git lfs pull`.": (
        "{path} 只是 Git LFS 指针：用 `git lfs pull` 取得文件本身。"
    ),
    "{path} is a pickle or zip file and not safetensors: convert it to .safetensors first.": (
        "{path} 是 pickle 或 zip 文件而不是 safetensors：先转换为 .safetensors。"
    ),
    "{path} is a pickle file and not safetensors: convert it to .safetensors first.": (
        "{path} 是 pickle 文件而不是 safetensors：先转换为 .safetensors。"
    ),
    "{path} is a GGUF file, which cannot be trained on: use the .safetensors original.": (
        "{path} 是 GGUF 文件，无法用于训练：使用 .safetensors 原文件。"
    ),
    "merged by SVD at rank {rank}, relative error {error}": "以 SVD 合并，秩 {rank}，相对误差 {error}",
    "{path}: {layers} layers, relative error {error}": "{path}：{layers} 层，相对误差 {error}",
    "'{form}' is no form of a merged file; use {forms}.": "“{form}”不是合并文件的格式；使用 {forms}。",
    "The rank of a merged LoRA must be at least 1, not {rank}.": "合并后 LoRA 的秩至少为 1，不能是 {rank}。",
    "Choose at least two files to merge into one LoRA, or one to bake into a checkpoint.": (
        "选择至少两个文件合并为一个 LoRA，或选一个并入检查点。"
    ),
    "At these weights the files change nothing that a LoRA could hold; raise a weight.": (
        "按这些权重，各文件没有 LoRA 能保存的改动；提高某个权重。"
    ),
    "{left_out} of the change lies in biases and norms, which no LoRA holds.": (
        "{left_out} 的改动在偏置与归一化层中，LoRA 无法保存。"
    ),
    "'{name}' is no LoRA, and only those can be merged; stack it live instead.": (
        "“{name}”不是 LoRA，只有 LoRA 能合并；改为在采样时叠加。"
    ),
    "'{name}' brings words of its own, which get lost in a merge; stack it live.": (
        "“{name}”带有自己的新词，合并会丢失；改为在采样时叠加。"
    ),
}
