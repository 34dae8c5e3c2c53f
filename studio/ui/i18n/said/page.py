"""The only file that translates what the page itself raises as an error."""

ZH = {
    "'{folder}' holds no pictures; add PNG, JPEG or WebP files to it.": (
        "“{folder}”中没有图片；加入 PNG、JPEG 或 WebP 文件。"
    ),
    "There is no trigger word; write the word that shall call the subject.": "没有触发词；写下用来调用主体的词。",
    "No method is picked; pick at least one.": "没有选择方法；至少选择一种。",
    "No run is at work now.": "当前没有训练。",
    "'{written}' is not a number of steps; write a whole number such as 1000.": (
        "“{written}”不是步数；写一个整数，例如 1000。"
    ),
    "'{written}' is not a number of minutes; write one such as 10.": "“{written}”不是分钟数；写一个数，例如 10。",
    "'{word}' is still being checked; wait for it.": "正在检查“{word}”；等它结束。",
    "The check was cut off; start it again.": "检查被中断；重新开始。",
    "'{model}' is being downloaded; wait for it, or cancel it.": "“{model}”正在下载；等待，或取消它。",
    "There is no '{name}' any more; look again.": "“{name}”已不存在；重新查看。",
    "'{name}' is at work; stop it first.": "“{name}”正在运行；先停止它。",
    "It is no longer in the trash; look again.": "它已不在回收站；重新查看。",
    "The experiment '{name}' of this run is gone; bring it back first.": "此训练所属的实验“{name}”已不在；先恢复它。",
    "There is another '{name}' now; throw that one away first.": "现在已有另一个“{name}”；先丢弃那一个。",
    "There is no experiment in hand; look again.": "当前没有实验；重新查看。",
    "There is no experiment '{name}'.": "没有实验“{name}”。",
    "Other pictures are being worked on; wait for that, or cancel it.": "正在处理其他图片；等待，或取消它。",
    "Captions are being found already; wait for them, or cancel it.": "正在生成标注；等待，或取消它。",
    "A captioner is being downloaded already; wait for it, or cancel it.": "正在下载标注器；等待，或取消它。",
    "Every picture would be held back; leave some to train on.": "这样会留出所有图片；留一些用于训练。",
    "No folder is named; write where the copies shall go.": "没有指定文件夹；写下副本的位置。",
    "Nothing is painted; paint over what shall be learnt, then save.": "没有涂抹；先涂抹要学习的部分，再保存。",
}
