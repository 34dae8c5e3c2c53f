"""The only file that translates what the page itself raises as an error."""

ZH = {
    "The engine cannot be loaded ({why}); start once with `--reinstall`.": (
        "无法加载引擎（{why}）；用 `--reinstall` 启动一次。"
    ),
    "This server answers to 127.0.0.1 and localhost only.": "此服务器只应答 127.0.0.1 和 localhost。",
    "Requests from other sites are refused.": "拒绝来自其他网站的请求。",
    "Open the address with the token that the studio printed when it started.": (
        "用程序启动时显示的、带令牌的地址打开。"
    ),
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
    "'{name}' has no single file to go on from; write one again.": "“{name}”没有可供继续训练的单个文件；先重新导出。",
    "Other pictures are being worked on; wait for that, or cancel it.": "正在处理其他图片；等待，或取消它。",
    "Captions are being found already; wait for them, or cancel it.": "正在生成标注；等待，或取消它。",
    "A captioner is being downloaded already; wait for it, or cancel it.": "正在下载标注器；等待，或取消它。",
    "Every picture would be held back; leave some to train on.": "这样会留出所有图片；留一些用于训练。",
    "No folder is named; write where the copies shall go.": "没有指定文件夹；写下副本的位置。",
    "The mask did not arrive whole; save it again.": "蒙版未完整送达；请再保存一次。",
    "Nothing is painted; paint over what shall be learnt, then save.": "没有涂抹；先涂抹要学习的部分，再保存。",
    "Something in the form cannot be; mend what is marked red first.": "表单中有不合法的值；先修正标红之处。",
    "{title} cannot train this base model; choose another method or base.": (
        "{title} 不能训练此基础模型；选择其他方法或基础模型。"
    ),
    "The run has moved already; look again.": "此训练的状态已变；重新查看。",
    "'{text}' is not {kind}; write one{bounds}.": "“{text}”不是{kind}；填写{kind}{bounds}。",
    "a whole number": "整数",
    "a number": "数",
    " from {low} to {high}": "，范围 {low} 至 {high}",
    " of at least {low}": "，不小于 {low}",
    "It must be at least {bound}.": "须不小于 {bound}。",
    "It must be above {bound}.": "须大于 {bound}。",
    "It must be at most {bound}.": "须不大于 {bound}。",
    "It must be below {bound}.": "须小于 {bound}。",
    "It must be a multiple of {bound}.": "须为 {bound} 的倍数。",
    "Write a whole number.": "填写整数。",
    "Write a number, such as 0.5 or 1e-4.": "填写数，例如 0.5 或 1e-4。",
    "That would be {count} pictures; a sheet has at most {most}. Take fewer of something.": (
        "共需 {count} 张图片；图表最多 {most} 张。减少某一项。"
    ),
    "'{text}' are no numbers with commas between them.": "“{text}”不是以逗号分隔的数。",
    "It is no longer in the library.": "它已不在作品库中。",
    "'{name}' is neither a base model nor a file to stack on one; choose another.": (
        "“{name}”既不是基础模型，也不是可叠加的文件；选择其他文件。"
    ),
    "There is a file '{name}' in the library already; rename the new one.": "作品库中已有文件“{name}”；给新文件改名。",
    "'{name}' is no file to use: its name ends with none of {endings}.": (
        "“{name}”不是可用的文件：文件名须以其中之一结尾：{endings}。"
    ),
    "'{name}' has {size}, and the disk has {free} free; make room first.": (
        "“{name}”有 {size}，磁盘剩余 {free}；先腾出空间。"
    ),
    "'{path}' is a folder; name the file in it.": "“{path}”是文件夹；写出其中的文件。",
    "There is no file '{path}' on this machine; check the path.": "本机没有文件“{path}”；检查路径。",
    "'{name}' did not come whole: {error}.": "“{name}”没有完整到达：{error}。",
    "it was cut off": "连接中断",
    "'{name}' cannot be copied: {error}.": "“{name}”无法复制：{error}。",
    "'{key}' is not a setting of this method; reload the page.": "“{key}”不是此方法的参数；重新加载页面。",
    "It ended by an error of ours ({kind}: {error}).": "因我们的错误而结束（{kind}: {error}）。",
    "It was cut off; start it again.": "它被中断；重新开始。",
    "'{title}' is still being worked on; wait for it, or cancel it.": "“{title}”仍在进行；等待，或取消它。",
    "There is no prompt; write what the picture shall show.": "没有提示词；写下图片要画的内容。",
    "There is a file '{name}' already; choose another name.": "已有文件“{name}”；换一个名称。",
    "'{text}' is no whole number for {what}.": "“{text}”不能作为 {what}：须为不小于 0 的整数。",
}
