"""The only file that translates which method is advised, and why."""

ZH = {
    "Likeness {figure}": "相似度 {figure}",
    "Prompt fit {figure}": "提示词契合 {figure}",
    "Forgetting {figure}": "遗忘 {figure}",
    "Drift {figure}": "漂移 {figure}",
    "Variety {figure}": "多样性 {figure}",
    "Copies {figure}": "照抄 {figure}",
    "Held-out loss {figure}": "留出损失 {figure}",
    "Step {figure}": "每步 {figure}",
    "Time to 90% {figure}": "达 90% 用时 {figure}",
    "Time {figure}": "时间 {figure}",
    "Energy {figure}": "能耗 {figure}",
    "Memory {figure}": "内存 {figure}",
    "Learns {figure}": "可训练 {figure}",
    "File {figure}": "文件 {figure}",
    "There is no preset for '{family}'; use starter, sd15 or sdxl.": (
        "没有适用于“{family}”的预设；使用 starter、sd15 或 sdxl。"
    ),
    "{title} is not known: {reason}": "{title}未知：{reason}",
    "{said}, the best of {n}.": "{said}，{n} 个中最佳。",
    "{said}, a tie with {title} ({text}).": "{said}，与 {title} 持平（{text}）。",
    "{said}, place {place} of {n}; {title} has {text}.": "{said}，在 {n} 个中排第 {place}；{title} 为 {text}。",
    "{title} comes out first, but {others} cannot be told from it by these figures.": (
        "{title} 排在第一，但按这些数值无法与 {others} 区分。"
    ),
    "{title} serves you best by these weights: {reason}": "按这些权重，{title} 最适合：{reason}",
    "All are alike.": "各方法不相上下。",
    "Train at least two methods; then there is something to choose between.": "至少训练两种方法，才有可选择的。",
    "All weights are 0; let something count.": "权重全为 0；至少让一项计入。",
    "Its likeness {text} is not above the untrained base's {base} by more than the spread.": (
        "其相似度 {text} 与未训练的基础模型（{base}）相比，差距未超出波动范围。"
    ),
    "{copies} of its samples are nearer to a training picture than true new pictures are.": (
        "{copies} 的采样比真正的新图片更接近训练图片。"
    ),
    "Each method ran with one seed, so small differences may be chance.": (
        "每种方法只用了一个种子，微小的差别可能是偶然。"
    ),
    "'{name}' is not measured; use {names}.": "没有测量“{name}”；使用 {names}。",
    "The weight of {name} must be 0 or more, not {weight}.": "{name} 的权重须不小于 0，不能是 {weight}。",
    "Its preset takes {steps} steps, the quickest {fewest}; there are {minutes} minutes.": (
        "其预设需 {steps} 步，最快的为 {fewest} 步；可用 {minutes} 分钟。"
    ),
    "With {images} pictures of many things it is the most exact: every weight may learn.": (
        "有 {images} 张多种事物的图片时它最精确：全部权重都可学习。"
    ),
    "{images} pictures of many things are more than its few numbers hold.": (
        "{images} 张多种事物的图片超出了它少量参数的容量。"
    ),
    "With {images} pictures it soon knows them by heart.": "只有 {images} 张图片，它很快会死记硬背。",
    "{images} pictures are enough: a word has no room to learn them by heart.": (
        "{images} 张图片就够：一个词容不下死记硬背。"
    ),
    "It changes the model most, so it is the most faithful.": "它对模型改动最大，因此最忠实。",
    "It is the usual choice today: small, quick, and read by every program.": (
        "当今的常用选择：小、快，各程序都能读取。"
    ),
    "It is going out of use: a forerunner of LoRA that does the same with more.": (
        "正在被淘汰：LoRA 的前身，用更多参数做同样的事。"
    ),
    "It is better at a style than at a subject.": "更擅长画风而非主体。",
    "It reaches the convolutions too, where texture and stroke are.": "它也作用于卷积，那里决定纹理与笔触。",
    "A word can only name what the base can draw, so likeness stays the weakest.": (
        "词只能指代基础模型画得出的东西，因此相似度最弱。"
    ),
    "Its smallest preset needs {memory} GB, and there are {has}.": "其最小的预设需要 {memory} GB，而只有 {has}。",
    "Its preset is made for {needs}, and there are {has}.": "其预设适合 {needs}，本机有 {has}。",
    "any machine": "任何机器",
    "{program} does not read its files; {readers} do.": "{program} 不能读取它的文件；{readers} 可以。",
    "Several of its files act together.": "它的多个文件可以同时使用。",
    "It is a whole model: two of them cannot act together.": "它是完整模型：两个不能同时使用。",
    "Its file stands alone.": "它的文件可独立使用。",
    "Its file needs the base model beside it.": "它的文件需要配合基础模型。",
    "Usual file": "常见文件大小",
    "Needs": "需要",
    "In a prompt": "在提示词中",
    "Stacks": "可叠加",
    "new words in the text encoder's vocabulary": "文本编码器词表中的新词",
    "small networks before the keys and values of attention": "注意力的键与值之前的小网络",
    "thin layers beside the weights of attention": "注意力权重旁的薄层",
    "thin layers beside attention and convolutions": "注意力与卷积旁的薄层",
    "products of thin layers beside the weights": "权重旁薄层的乘积",
    "Kronecker factors beside the weights": "权重旁的克罗内克因子",
    "scales of keys, values and feed-forward layers": "键、值与前馈层的缩放",
    "thin layers that can be cut to any rank": "可裁到任意秩的薄层",
    "rotations of what the layers say": "各层输出的旋转",
    "rotations that reach across a layer": "遍及整层的旋转",
    "thin layers before and behind the weights": "权重前后的薄层",
    "the whole difference of every weight": "每个权重的完整差值",
    "every weight of the UNet, on wish of the text encoder too": "UNet 的全部权重，可选含文本编码器",
    "nothing: it is a whole model": "无：它是完整模型",
    "its base model beside it": "配合其基础模型",
    "no, it replaces the base": "否，它取代基础模型",
    "yes": "是",
    "not known": "未知",
}
