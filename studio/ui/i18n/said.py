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
}
