"""The only file that translates sentences which the engine says in English; {parts} are taken over."""

ZH = {
    "Textual Inversion": "文本反转",
    "Hypernetwork": "超网络",
    "Base": "基础模型",
    "Learns a new word. Tiny file, weakest likeness, cannot damage the base.": (
        "学一个新词。文件极小，相似度最弱，不会损伤基础模型。"
    ),
    "Thin layers on attention. The usual first choice: good likeness, stacks.": (
        "在注意力上加薄层。通常首选：相似度好，可叠加。"
    ),
    "Trains everything. Best likeness, largest file, forgets most.": "训练全部权重。相似度最高，文件最大，遗忘最多。",
    "choose {name} as checkpoint, then write: {trigger}": "选择 {name} 作为检查点，然后写：{trigger}",
    "Likeness": "相似度",
    "Prompt fit": "提示词契合",
    "Forgetting": "遗忘",
    "Held-out loss": "留出损失",
    "Step": "每步",
    "Time": "时间",
    "Memory": "内存",
    "Learns": "可训练",
    "File": "文件",
    "not started": "尚未开始",
    "not measured yet": "尚未测量",
    "being sampled": "采样中",
    "not sampled yet": "尚未采样",
    "The base was not trained.": "基础模型没有训练。",
    "failed at {n}": "在第 {n} 步失败",
    "stopped at {n}": "在第 {n} 步停止",
    "interrupted at {n}": "在第 {n} 步中断",
    "training, step {n}": "训练中，第 {n} 步",
    "preparing, step {n}": "准备中，第 {n} 步",
    "sampling, step {n}": "采样中，第 {n} 步",
    "float32 chosen for {name}: it is exact and no slower at this size.": (
        "为 {name} 选择 float32：精确，且在此规模下不更慢。"
    ),
    "bfloat16 chosen for {name}: it is the fastest format that it computes in.": (
        "为 {name} 选择 bfloat16：它能计算的最快格式。"
    ),
    "float16 chosen for {name}: it is the fastest format that it computes in.": (
        "为 {name} 选择 float16：它能计算的最快格式。"
    ),
    "{where} has no bfloat16; using float32.": "{where} 不支持 bfloat16，改用 float32。",
    "{where} has no bfloat16; using float16 with a loss scaler.": "{where} 不支持 bfloat16，改用 float16 加损失缩放。",
    "{where} does not train in float16; using float32.": "{where} 不能用 float16 训练，改用 float32。",
    "This processor": "此处理器",
    "Files are saved in float16, which every program reads.": "文件以 float16 保存，所有程序都能读取。",
    "PyTorch's own attention; xformers is not usable here: {why}": (
        "使用 PyTorch 自带的注意力；xformers 在此不可用：{why}"
    ),
    "it runs on CUDA cards only.": "它只在 CUDA 显卡上运行。",
    "it was not probed.": "没有检测。",
    "it is not installed; `pip install --no-deps bitsandbytes` adds it.": (
        "未安装；`pip install --no-deps bitsandbytes` 可以添加。"
    ),
    "it is not installed; `pip install --no-deps xformers` adds it.": (
        "未安装；`pip install --no-deps xformers` 可以添加。"
    ),
    "There is no folder '{folder}'; give a folder of pictures, or `corgi` for the example.": (
        "没有文件夹“{folder}”；输入图片文件夹，或用 `corgi` 作示例。"
    ),
    "'{folder}' holds no pictures; add PNG, JPEG or WebP files to it.": (
        "“{folder}”中没有图片；加入 PNG、JPEG 或 WebP 文件。"
    ),
    "There is no trigger word; write the word that shall call the subject.": "没有触发词；写下用来调用主体的词。",
    "No method is picked; pick at least one.": "没有选择方法；至少选择一种。",
    "No run is at work now.": "当前没有训练。",
    "None of these files is a picture; choose PNG, JPEG or WebP files.": (
        "这些文件都不是图片；选择 PNG、JPEG 或 WebP 文件。"
    ),
    "{title} cannot train {family} models; choose another method or base.": (
        "{title} 不能训练 {family} 模型；换一种方法或基础模型。"
    ),
    "The {what} was skipped: no memory for it; training goes on.": "已跳过{what}：内存不足；训练继续。",
    "What was learnt became infinite at {step}; lower the learning rate and resume.": (
        "第 {step} 处学到的权重变为无穷大；降低学习率后继续。"
    ),
    "{optimizer} needs bitsandbytes: {trouble} Using {plain}.": (
        "{optimizer} 需要 bitsandbytes：{trouble} 改用 {plain}。"
    ),
    "{precision} as asked for; {where} computes in it.": "按要求使用 {precision}；{where} 可以用它计算。",
    "xformers answered a real call on this card.": "xformers 在此显卡上实际运行成功。",
    "xformers was asked for, but {broken} Using PyTorch's own attention.": (
        "要求使用 xformers，但{broken} 改用 PyTorch 自带的注意力。"
    ),
    "{device} was asked for, but this machine has none; using {name}.": "要求使用 {device}，但本机没有；改用 {name}。",
    "this processor": "此处理器",
    "There is no eye to judge pictures with; `python -m studio.starter.build` makes it.": (
        "没有评判图片的模型；`python -m studio.starter.build` 可以生成。"
    ),
    "The starter's eye is not built; `python -m studio.starter.build` makes it.": (
        "内置的评判模型尚未生成；`python -m studio.starter.build` 可以生成。"
    ),
    "No dataset is chosen; give a folder of pictures, or `corgi` for the example.": (
        "没有选择数据集；输入图片文件夹，或用 `corgi` 作示例。"
    ),
    "The caption '{path}' is not readable text; save it as UTF-8.": "标注“{path}”不是可读的文本；另存为 UTF-8。",
    "'{text}' cannot be a folder name; use letters and digits.": "“{text}”不能用作文件夹名；使用字母与数字。",
    "'{name}' is in use by process {holder}; stop it first.": "“{name}”正被进程 {holder} 使用；先停止它。",
    "'{words}' has {n} tokens; set method.vectors to {m} or use fewer words.": (
        "“{words}”有 {n} 个词元；把 method.vectors 设为 {m}，或用更少的词。"
    ),
    "'{written}' is not a number of steps; write a whole number, or nothing.": (
        "“{written}”不是步数；写一个整数，或留空。"
    ),
    "The picture is gone; choose another one.": "图片已不存在；选择另一张。",
    "{label} ended by an error of ours: {error}": "{label} 因程序错误而结束：{error}",
    (
        "How like the samples that call the subject are to pictures of it that were never trained on: cosine "
        "to the nearest held-out picture, mean over the samples."
    ): "调用主体的采样与从未训练过的图片有多像：与最近的留出图片的余弦，取平均。",
    (
        "A copy of a training picture scores well, and so does a background like that of the held-out pictures."
    ): "照抄训练图片也会得高分，与留出图片相似的背景也会。",
    (
        "How well the samples that call the subject show the rest of their prompt: cosine to the prompt with "
        "the class word in place of the trigger."
    ): "调用主体的采样对提示词其余部分的体现：与以类别词替换触发词的提示词的余弦。",
    (
        "The untrained base often leads: it paints the prompt and knows nothing of the subject. Small differe"
        "nces mean much."
    ): "未训练的基础模型常常领先：它只画提示词，不认识主体。微小的差别也有意义。",
    (
        "How far the pictures of prompts without the trigger moved away from the base at equal seeds: one min"
        "us the cosine."
    ): "不含触发词的图片在相同种子下偏离基础模型多远：一减余弦。",
    "A picture may move without becoming worse; nothing learnt at all also scores 0.": (
        "图片改变不等于变差；什么都没学到也是 0。"
    ),
    "Denoising loss on the held-out pictures with noise and timesteps that are the same for every run.": (
        "留出图片上的去噪损失，各训练的噪声与时间步相同。"
    ),
    "It follows colour and layout more than likeness; differences in the third digit can decide.": (
        "它更多反映颜色与构图而非相似度；第三位的差别也可能决定高下。"
    ),
    "Wall time of one optimizer update, mean over the run, without samples and checkpoints.": (
        "一次参数更新的实际用时，全程平均，不含采样与检查点。"
    ),
    "It depends on what else the machine does, and a larger batch makes a step longer.": (
        "取决于本机的其他负载；批越大，每步越久。"
    ),
    "Training time to the end of the run, all sittings together, without samples.": "训练总用时，多次合计，不含采样。",
    "The best likeness may have come long before the end.": "最佳相似度可能早已出现。",
    "The most memory that was held while training.": "训练中占用的最大内存。",
    (
        "On a CPU this is the whole program with the base model, so methods differ less than on a graphics card."
    ): "在 CPU 上这是包含基础模型的整个程序，方法间差别小于显卡。",
    "How many numbers learn.": "有多少个数值在学习。",
    "Fewer is cheaper, not better by itself.": "越少越省，但不因此更好。",
    "Size of the file that is handed on: the smallest of the exports.": "交付文件的大小：导出文件中最小的一个。",
    "An adapter or a word needs its base model beside it; a checkpoint stands alone.": (
        "适配器或新词需要配合基础模型；检查点可独立使用。"
    ),
    "No pictures were held out: likeness is judged by the training pictures, which favours copies.": (
        "没有留出图片：以训练图片评判，会偏向照抄。"
    ),
}
