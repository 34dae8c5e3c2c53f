"""The only file that translates what is said of pictures and captions."""

ZH = {
    "Textual Inversion": "文本反转",
    "Base": "基础模型",
    "Memory": "内存",
    "it was not probed.": "没有检测。",
    "There is no folder '{folder}'; give a folder of pictures, or `corgi` for the example.": (
        "没有文件夹“{folder}”；输入图片文件夹，或用 `corgi` 作示例。"
    ),
    "{optimizer} needs bitsandbytes: {trouble} Using {plain}.": (
        "{optimizer} 需要 bitsandbytes：{trouble} 改用 {plain}。"
    ),
    "No dataset is chosen; give a folder of pictures, or `corgi` for the example.": (
        "没有选择数据集；输入图片文件夹，或用 `corgi` 作示例。"
    ),
    "The caption '{path}' is not readable text; save it as UTF-8.": "标注“{path}”不是可读的文本；另存为 UTF-8。",
    "'{name}' changed while it was read; start again when it is finished.": (
        "读取“{name}”时它发生了变化；等它写完后重新开始。"
    ),
    "The mask of '{name}' hides all of it; paint white what is to be learnt.": (
        "“{name}”的遮罩遮住了整张图片；把要学习的部分涂成白色。"
    ),
    "A cached picture was removed while it was needed; resume, it is then made anew.": (
        "仍需使用的图片缓存被删除；继续训练即会重新生成。"
    ),
    "The template '{template}' has no line; write one such as: a photo of [name], [filewords]": (
        "模板“{template}”没有内容；写一行，例如：a photo of [name], [filewords]"
    ),
    "The template '{template}' cannot be read; use off, subject, style, or a UTF-8 text file.": (
        "模板“{template}”无法读取；使用 off、subject、style 或 UTF-8 文本文件。"
    ),
    "'{name}' cannot be read as a picture ({error}); replace or remove it.": (
        "“{name}”无法作为图片读取（{error}）；替换或删除它。"
    ),
    "Class images need a class word; set data.class_word, or data.class_images to 0.": (
        "类别图片需要类别词；设置 data.class_word，或把 data.class_images 设为 0。"
    ),
    "'{folder}' holds no mask; put name-mask.png beside name, or set data.masks to off.": (
        "“{folder}”中没有遮罩；在图片旁放置“图片名-mask.png”，或把 data.masks 设为 off。"
    ),
    "Every picture of '{folder}' is held out; leave some to train on.": "“{folder}”的图片全被留出；留一些用于训练。",
    "{path} cannot be used: {error}": "{path} 无法使用：{error}",
}
