"""The only file that translates what is said of runs and experiments on disk."""

ZH = {
    "'{text}' cannot be a folder name; use letters and digits.": "“{text}”不能用作文件夹名；使用字母与数字。",
    "'{name}' is in use by process {holder}; stop it first.": "“{name}”正被进程 {holder} 使用；先停止它。",
    "'{name}' was taken over by another process; this one ends.": "“{name}”已被另一进程接管；本进程结束。",
    "'{name}' was taken by another process; stop it first.": "“{name}”已被另一进程占用；先停止它。",
    "'{outputs}' holds too many experiments called '{base}'; choose another name.": (
        "“{outputs}”中名为“{base}”的实验太多；换一个名称。"
    ),
    "'{path}' already holds a run; choose another name, or resume it.": "“{path}”中已有训练；换一个名称，或继续它。",
    "'{what}' is not a wish; use one of {wishes}.": "“{what}”不是可用的请求；使用 {wishes} 之一。",
    "'{path}' is not a run folder: it has no readable spec.toml.": "“{path}”不是训练文件夹：没有可读的 spec.toml。",
    "'{path}' is not an experiment: it has no readable experiment.toml.": (
        "“{path}”不是实验：没有可读的 experiment.toml。"
    ),
    "It was a number of steps; it is now their share of all, which is kept.": (
        "它原为步数，现为占总步数的比例；数值已换算。"
    ),
    "This run has {section}.{key} = {value} from an earlier version. {text}": (
        "此训练含有旧版本的 {section}.{key} = {value}。{text}"
    ),
    "There is nothing left of '{title}' to throw away.": "“{title}”已没有可删除的内容。",
    "'{name}' is there again already; rename or delete it, then restore this one.": (
        "“{name}”已重新存在；改名或删除它，再恢复这一个。"
    ),
    "It is no longer in the trash.": "它已不在回收站中。",
    "'{name}' has just given a sign of life; it is not interrupted.": "“{name}”刚刚有心跳；它没有中断。",
}
