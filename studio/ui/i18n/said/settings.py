"""The only file that translates what is said of settings."""

ZH = {
    "timestep_low must not be above timestep_high": "timestep_low 不能大于 timestep_high",
    (
        "objective.zero_terminal_snr needs a base that predicts v, and this one predicts the noise (epsilon), which "
        "says nothing of a picture that is all noise; switch it off."
    ): "objective.zero_terminal_snr 需要预测 v 的基础模型；此模型预测噪声（epsilon），对纯噪声图片不起作用；关闭此项。",
    "prodigy finds the learning rate itself, and {key} only multiplies it: set it to 1 (now {value}).": (
        "prodigy 自行确定学习率，{key} 只是其倍数：设为 1（现为 {value}）。"
    ),
    "schedule-free-adamw averages instead of lowering its rate; set {what} (a warm-up may stay).": (
        "schedule-free-adamw 以平均代替降低学习率；设 {what}（可以保留预热）。"
    ),
    "schedule-free-adamw draws and saves an average already; set optim.ema to 0.": (
        "schedule-free-adamw 的采样与保存已是平均值；把 optim.ema 设为 0。"
    ),
    "schedule-free-adamw needs optim.beta1 above 0; 0.9 is usual.": (
        "schedule-free-adamw 需要 optim.beta1 大于 0；通常为 0.9。"
    ),
    "'{part}' must be above zero and end later than the one before it": "“{part}”必须大于零，且结束步数晚于前一项",
    "'{part}' is no rate with its last step, such as 0.005:100": "“{part}”不是学习率及其最后步数，例如 0.005:100",
    " ({n} more like this)": "（另有 {n} 处类似）",
    "'{key}' is not a known setting; remove it or correct its spelling{others}.": (
        "“{key}”不是已知的设置；删除它或改正拼写{others}。"
    ),
    "'{key}' is missing; give it a value{others}.": "缺少“{key}”；给它一个值{others}。",
    "'{key}' cannot be {given}: {why}.": "“{key}”不能是 {given}：{why}。",
    "'{key}' cannot be set: '{part}' is a single value, not a group of settings.": (
        "“{key}”无法设置：“{part}”是单个值，不是一组设置。"
    ),
    "There is no preset '{name}'; did you mean {names}?": "没有预设“{name}”；是否指 {names}？",
    "data.class_images needs data.class_word: what kind of thing the class images show.": (
        "data.class_images 需要 data.class_word：类别图片所属的类别。"
    ),
    "{kind} cannot be saved as {formats}; use {known}.": "{kind} 不能保存为 {formats}；使用 {known}。",
    "{key} needs held-out pictures; set data.held_out to a folder of some.": (
        "{key} 需要留出图片；把 data.held_out 设为存放它们的文件夹。"
    ),
    "{key} needs to know how often to judge; set validation.every.": (
        "{key} 需要知道多久评判一次；设置 validation.every。"
    ),
    "{where} is not valid TOML: {error}.": "{where} 不是有效的 TOML：{error}。",
    "it needs a kind: one of {kinds}": "需要 kind：{kinds} 之一",
    "value error, {why}": "{why}",
    "input should be {what}": "应为 {what}",
    "input should be greater than or equal to {n}": "应不小于 {n}",
    "input should be less than or equal to {n}": "应不大于 {n}",
    "input should be greater than {n}": "应大于 {n}",
    "input should be less than {n}": "应小于 {n}",
    "input should be a valid integer, unable to parse string as an integer": "应为整数",
    "input should be a valid number, unable to parse string as a number": "应为数字",
    "input should be a valid boolean, unable to interpret input": "应为 true 或 false",
    "input should be a valid string": "应为文本",
    "'{key}' cannot be {given}: {why} ({n} more like this).": "“{key}”不能是 {given}：{why}（另有 {n} 处类似）。",
    "{key} is for dreambooth and full, which train every weight; what else learns is small. Leave it off.": (
        "{key} 只用于 dreambooth 与 full，它们训练全部权重；其他方法训练的权重很少。不要打开它。"
    ),
    "{key} changes one weight at a time, and prodigy needs all gradients at once; take another optimizer.": (
        "{key} 每次只更新一个权重，而 prodigy 需要同时得到全部梯度；换一个优化器。"
    ),
    "schedule-free-adamw cannot go with optim.weights = bf16: {text}": (
        "schedule-free-adamw 不能与 optim.weights = bf16 同用：{text}"
    ),
    "its average lies within the weights, which bf16 blurs; set optim.weights to fp32.": (
        "其平均值存于权重中，bf16 会使其模糊；把 optim.weights 设为 fp32。"
    ),
    "optim.weights = bf16 saves memory only where the arithmetic is bf16 too, and {text}": (
        "只有以 bf16 计算时，optim.weights = bf16 才节省内存，而{text}"
    ),
    "machine.precision is {precision}; set that to bf16, or optim.weights to fp32.": (
        "machine.precision 为 {precision}；把它设为 bf16，或把 optim.weights 设为 fp32。"
    ),
    "optim.fused_backward {reason}; set {what}.": "optim.fused_backward {reason}；设 {what}。",
    "schedule.accumulation = 1 (now {n}; a larger batch_size does the same)": (
        "schedule.accumulation = 1（现为 {n}；增大 batch_size 效果相同）"
    ),
    "machine.split = 1 (now {n})": "machine.split = 1（现为 {n}）",
    "optim.clip = 0 (now {n})": "optim.clip = 0（现为 {n}）",
    "machine.precision to bf16 or fp32 (now fp16)": "machine.precision 为 bf16 或 fp32（现为 fp16）",
    "adds up no gradients of several batches": "不能累加多批的梯度",
    "adds up no gradients of parts": "不能累加各份的梯度",
    "cannot shorten gradients by their common length, which is known only after the last of them": (
        "不能按总长度裁剪梯度，因为要到最后一个才知道总长度"
    ),
    "cannot take back a step that fp16's loss scaler finds too large when half of it is done": (
        "不能撤回做到一半才被 fp16 损失缩放判为过大的更新"
    ),
    "The preset has no name; give it one, such as my-lora.": "预设没有名称；起一个，例如 my-lora。",
    "'{called}' is a preset of the studio; choose another name.": "“{called}”是内置预设；换一个名称。",
    "A preset of your own, for {kind}.": "自定义预设，用于 {kind}。",
    (
        "'{name}' holds no settings of kohya's scripts (TOML or the GUI's JSON) or of OneTrainer (JSON); choose such "
        "a file."
    ): "“{name}”不含 kohya 脚本（TOML 或 GUI 的 JSON）或 OneTrainer（JSON）的设置；选择这样的文件。",
    "'{name}' holds no table of settings; choose a preset or configuration file.": (
        "“{name}”中没有设置表；选择预设或配置文件。"
    ),
    "{title} has no such setting.": "{title} 没有这项设置。",
    "It is off.": "已关闭。",
    "'{value}' is not known here.": "这里不支持“{value}”。",
    "There is no such setting here.": "这里没有这项设置。",
    "It is chosen on the page: dataset, base model, names and folders.": (
        "在页面上选择：数据集、基础模型、名称与文件夹。"
    ),
    "How many steps an epoch has hangs on the pictures; set schedule.steps.": (
        "每轮的步数取决于图片数量；设置 schedule.steps。"
    ),
    "Only one value for all layers can be set here.": "这里所有层只能设同一个值。",
    "'{value}' is not understood.": "无法理解“{value}”。",
}
