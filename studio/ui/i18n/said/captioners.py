"""The only file that translates what captioners say."""

ZH = {
    "'{name}' is not a captioner; use one of {names}.": "“{name}”不是标注器；使用 {names} 之一。",
    "{title} needs {n} GB of memory and {where} has {m}; choose a smaller captioner.": (
        "{title} 需要 {n} GB 内存，{where}只有 {m}；选择较小的标注器。"
    ),
    "this computer": "本机",
    "Embedded": "内置",
    "Apache-2.0, as the studio": "Apache-2.0，与本程序相同",
    "A short plain sentence for photographs; runs on a processor in a few seconds a picture.": (
        "为照片写一句简短的话；可在处理器上运行，每张几秒。"
    ),
    "A short sentence with a little more detail than BLIP base; twice as slow.": (
        "一句短句，细节略多于 BLIP base；慢一倍。"
    ),
    "No download, and quick: it knows 61 emoji-like things and plain backgrounds, and says when it is unsure.": (
        "无需下载且很快：认识 61 种表情符号式的物体与纯色背景，没有把握时会说明。"
    ),
    "what it shows (perhaps {thing}, {score})": "内容（可能是 {thing}，{score}）",
    "the background (perhaps {place}, {score})": "背景（可能是 {place}，{score}）",
    "Unsure of {one} and of {other}.": "没有把握：{one}；{other}。",
    "Unsure of {one}.": "没有把握：{one}。",
    "The starter's eye is damaged; install the studio anew.": "内置的评判模型已损坏；重新安装本程序。",
    "A sentence or a paragraph for any picture, exact about what is where; small enough for a processor.": (
        "适用任何图片，写一句或一段，方位准确；体积小，处理器即可运行。"
    ),
    "As Florence-2 base, with fewer mistakes and more detail; best on a graphics card.": (
        "同 Florence-2 base，错误更少，细节更多；最好用显卡。"
    ),
    "Long, exact, uncensored descriptions, prompts or tags; needs a graphics card of 10 GB or more.": (
        "详尽准确、不作删减的描述、提示词或标签；需要 10 GB 以上的显卡。"
    ),
    "{title} needs a graphics card of 10 GB or more; choose Florence-2, which runs without one.": (
        "{title} 需要 10 GB 以上的显卡；可选无需显卡的 Florence-2。"
    ),
    "{title} fits {name} in 4 bits only, which needs bitsandbytes: {trouble}": (
        "{title} 只有以 4 位才能放进 {name}，这需要 bitsandbytes：{trouble}"
    ),
    "'{name}' has no chat template, so it is no JoyCaption; give another folder.": (
        "“{name}”没有对话模板，不是 JoyCaption；换一个文件夹。"
    ),
    "Does what it is asked in plain words, also in Chinese; the small one, for cards of 8 GB.": (
        "按自然语言（含中文）的要求描述；小型版，适合 8 GB 显卡。"
    ),
    "Does what it is asked in plain words, also in Chinese; for cards of 12 GB.": (
        "按自然语言（含中文）的要求描述；适合 12 GB 显卡。"
    ),
    "Danbooru tags and characters for anime and drawings; a second or two a picture on a processor.": (
        "为动漫与绘画打 Danbooru 标签并识别角色；处理器上每张一两秒。"
    ),
    "As WD SwinV2, with fewer mistakes; three times as large and slow.": "同 WD SwinV2，错误更少；体积与用时约为三倍。",
    "The WD taggers need onnxruntime, which is not installed here; `pip install onnxruntime` brings it.": (
        "WD 标签器需要 onnxruntime，此处未安装；`pip install onnxruntime` 可以安装。"
    ),
    "'{name}' is no WD tagger: it does not take squares of (N, side, side, 3).": (
        "“{name}”不是 WD 标签器：其输入不是 (N, side, side, 3) 的方图。"
    ),
    "'{name}' knows {n} tags and its {list} {m}; download it again.": (
        "“{name}”有 {n} 个标签，而其 {list} 有 {m} 个；重新下载。"
    ),
    "'{path}' is no list of tags ({error}); download the tagger again.": (
        "“{path}”不是标签列表（{error}）；重新下载标签器。"
    ),
    "{title} is not on this machine ({n} GB, {licence}); `caption --with {name} --download` brings it.": (
        "{title} 不在本机（{n} GB，{licence}）；用 `caption --with {name} --download` 下载。"
    ),
    "'{folder}' holds no whole model ({kind}); give another folder, or download it.": (
        "“{folder}”中没有完整的模型（{kind}）；换一个文件夹，或下载它。"
    ),
    "The device has no room for this captioner; choose a smaller one.": "显存放不下此标注器；选择较小的。",
    "'{name}' is damaged or no such model ({error}: {reason}); download it again.": (
        "“{name}”已损坏或不是这种模型（{error}: {reason}）；重新下载。"
    ),
    "'{name}' gets no caption ({why}); write it by hand.": "“{name}”没有得到标注（{why}）；手动书写。",
    "The device has no room for one picture; choose a smaller captioner.": "显存连一张图片也放不下；选择较小的标注器。",
    "'{path}' cannot be written ({error}); make room and start again.": (
        "“{path}”无法写入（{error}）；腾出空间后重新开始。"
    ),
}
