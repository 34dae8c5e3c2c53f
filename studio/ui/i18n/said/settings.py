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
}
