"""The only file that translates what the methods say."""

ZH = {
    "Learns a new word. Tiny file, weakest likeness, cannot damage the base.": (
        "学一个新词。文件极小，相似度最弱，不会损伤基础模型。"
    ),
    "Full difference": "完整差值",
    "Small networks in front of every attention. Good for style, older UIs only.": (
        "在每个注意力之前加小网络。适合风格，仅较老的界面支持。"
    ),
    "LoRA on convolutions too. Better at texture and style than LoRA.": "卷积上也有 LoRA。纹理与风格优于 LoRA。",
    "Product of two low-rank pairs: more expressive at the same size. Slower.": (
        "两对低秩矩阵之积：同样大小表达力更强，较慢。"
    ),
    "Kronecker factors. Very small file, likes a higher learning rate.": "克罗内克因子。文件很小，适合较高的学习率。",
    "Scales keys and values only. Smallest adapter, good for style.": "只缩放键与值。最小的适配器，适合风格。",
    "LoRA for every rank up to its own at once; slow to learn, and can be cut down later.": (
        "同时训练各个秩的 LoRA；学得慢，之后可以裁小。"
    ),
    "LoRA before and behind each weight; a little more expressive.": "每个权重前后都有 LoRA；表达力略强。",
    "The whole change of every layer as a stackable file: DreamBooth's strength, and its size.": (
        "每层的全部变化存成可叠加的文件：DreamBooth 的强度与大小。"
    ),
    "Rotates what the layers say instead of adding to it; keeps the base's balance.": (
        "旋转各层的输出而不是相加；保持基础模型的平衡。"
    ),
    "Diag-OFT whose blocks reach across the whole layer; slower.": "块遍及整层的 Diag-OFT；较慢。",
    "Thin layers on attention. The usual first choice: good likeness, stacks.": (
        "在注意力上加薄层。通常首选：相似度好，可叠加。"
    ),
    "Trains everything. Best likeness, largest file, forgets most.": "训练全部权重。相似度最高，文件最大，遗忘最多。",
    "choose {name} as checkpoint, then write: {trigger}": "选择 {name} 作为检查点，然后写：{trigger}",
    "'{kind}' is not a training method; use one of {kinds}.": "“{kind}”不是训练方法；使用 {kinds} 之一。",
    "{title} goes on from no file; leave method.start empty.": "{title} 不能从已有文件继续；把 method.start 留空。",
    "The saved weights do not fit these {title} settings; continue them with their own.": (
        "保存的权重与当前的 {title} 设置不符；用原来的设置继续。"
    ),
    "for method.kind = {kinds}": "用于 method.kind = {kinds} 的文件",
    "no adapter but of the kind {kind}": "{kind} 文件而非适配器",
    "'{name}' is {what}, not for {kind}; choose another file in method.start.": (
        "“{name}”是{what}，不能用于 {kind}；在 method.start 中选择其他文件。"
    ),
    "There is no file '{path}'; give a finished one in method.start, or leave it empty.": (
        "没有文件“{path}”；在 method.start 中填写训练好的文件，或留空。"
    ),
    "'{name}' was made with other settings; to go on from it set {told}.": (
        "“{name}”的设置不同；要从它继续，须设 {told}。"
    ),
    (
        "'{name}' changes {n} layers of the UNet, which is no choice of method.targets for this base; it can be "
        "stacked, but not trained further."
    ): "“{name}”改动了 UNet 的 {n} 层，此基础模型的 method.targets 没有这种选项；可以叠加使用，但不能继续训练。",
    "not in ComfyUI, which reads layer norms wrongly": "不能用于 ComfyUI，它会错误读取层归一化",
    "'{name}' uses the activation {known}, which only A1111 knows; it cannot go on here.": (
        "“{name}”使用的激活函数 {known} 只有 A1111 支持；无法在此继续训练。"
    ),
    "'{name}' has networks for the widths {widths}, which this base does not ask for.": (
        "“{name}”中的网络宽度为 {widths}，此基础模型不需要。"
    ),
    "'{name}' does not hold the layers that it says it does; choose another file.": (
        "“{name}”的层与其说明不符；选择其他文件。"
    ),
    "With method.layer_norm the file is not portable: {why}.": "使用 method.layer_norm 时文件不通用：{why}。",
    "it must begin and end with 1, such as 1, 2, 1": "首尾必须为 1，例如 1, 2, 1",
    (
        "A LoRA with DoRA is right in diffusers and LyCORIS; A1111, Forge and ComfyUI read it wrongly. LoCon with "
        "method.dora = true says the same in a form that A1111 and Forge read."
    ): (
        "带 DoRA 的 LoRA 在 diffusers 与 LyCORIS 中正确；A1111、Forge 与 ComfyUI 会读错。LoCon 加 method.dora = true "
        "效果相同，且 A1111 与 Forge 能读取。"
    ),
    "method.new_words needs data.trigger: the word in the captions that the new one stands for.": (
        "method.new_words 需要 data.trigger：标注中由新词代表的词。"
    ),
    "with a word of {words} vectors beside it": "时附带了 {words} 个向量的新词",
    "without a word beside it": "时没有附带新词",
    "'{name}' was made {with_or}; to go on from it set method.new_words = {words}.": (
        "“{name}”生成{with_or}；要从它继续，须设 method.new_words = {words}。"
    ),
    "'{name}' has several ranks or alphas; it cannot be trained further here.": (
        "“{name}”有多种秩或 alpha；无法在此继续训练。"
    ),
    "'{name}' decomposes its convolutions (Tucker), which LoKr does not learn on here.": (
        "“{name}”对卷积作了分解（Tucker），这里的 LoKr 不能在其上继续训练。"
    ),
    "'{name}' was made with other settings: {tensor} is {shape} there and {here} here; try another {settings}.": (
        "“{name}”的设置不同：{tensor} 在文件中为 {shape}，在这里为 {here}；换一个 {settings}。"
    ),
    "{title} cannot work on {path}: {error}; choose another rank.": "{title} 无法用于 {path}：{error}；换一个秩。",
    "'{name}' scales the inputs of layers; only scales of outputs are trained here.": (
        "“{name}”缩放的是各层的输入；这里只训练输出的缩放。"
    ),
    "'{name}' is for method.kind = {kind}.": "“{name}”用于 method.kind = {kind}。",
    "'{name}' also rescales its layers, which few programs do; it cannot go on here.": (
        "“{name}”还会缩放各层，支持的程序很少；无法在此继续训练。"
    ),
    (
        "Rows of the new word ({name}) begin {ratio} times as long as the base's; they stay so, but above {limit} "
        "times nothing grows further."
    ): "新词的行（{name}）起始长度是基础模型的 {ratio} 倍；会保持原样，但超过 {limit} 倍不再增长。",
    "'{words}' has {n} tokens; set {setting} to {m} or use fewer words.": (
        "“{words}”有 {n} 个词元；把 {setting} 设为 {m}，或用更少的词。"
    ),
    "{where} has {rows} vectors; set {setting} = {n}.": "{where} 有 {rows} 个向量；设 {setting} = {n}。",
    "{where} is for another model family: its vectors do not fit this base's text encoder.": (
        "{where} 属于另一模型系列：其向量与此基础模型的文本编码器不符。"
    ),
    "write {name} in the negative prompt": "在负面提示词中写 {name}",
    "Textual Inversion needs data.trigger: the word in the captions that the new one stands for.": (
        "文本反转需要 data.trigger：标注中由新词代表的词。"
    ),
    "There is no file '{source}'.": "没有文件“{source}”。",
}
