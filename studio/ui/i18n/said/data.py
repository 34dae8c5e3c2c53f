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
    "There is nothing to search for; write the words that shall be replaced.": "没有要查找的内容；写下要替换的词。",
    "There is no trigger word; write one first.": "没有触发词；先写一个。",
    "There is nothing to put in or take out; write a word first.": "没有要加入或去掉的内容；先写一个词。",
    "The pattern '{find}' takes too long to search; write it without repeats in repeats.": (
        "模式“{find}”查找太久；不要在重复中再嵌套重复。"
    ),
    "The pattern '{find}' or what replaces it is wrong ({error}); correct it.": (
        "模式“{find}”或替换内容有误（{error}）；改正它。"
    ),
    "The caption of '{name}' would have {n} letters; {longest} is the limit.": (
        "“{name}”的标注将有 {n} 个字符；上限为 {longest}。"
    ),
    "The embedded example stays as it is; copy its folder to change something.": (
        "内置示例保持原样；要更改请复制其文件夹。"
    ),
    "'{folder}' cannot be written ({error}); make room, or take a copy.": (
        "“{folder}”无法写入（{error}）；腾出空间，或改用副本。"
    ),
    "it is larger than {n} million pixels or {size} MB": "超过 {n} 百万像素或 {size} MB",
    "its content is no picture of a kind that is read here": "内容不是可读取的图片格式",
    "its end is missing": "结尾缺失",
    "it is damaged": "已损坏",
    "it is gone": "已不存在",
    "you have no right to read it": "没有读取权限",
    "{names} and {n} more": "{names} 等另外 {n} 个",
    "The example's captions stay as they are; copy its folder to change them.": (
        "示例的标注保持原样；要更改请复制其文件夹。"
    ),
    "The captions of '{name}' are being changed elsewhere; try again afterwards.": (
        "“{name}”的标注正在别处修改；稍后再试。"
    ),
    "The caption of '{name}' holds half a character; type it anew.": "“{name}”的标注含有残缺的字符；重新输入。",
    "'{name}' does not lie in '{folder}'; choose the folder that it is in.": (
        "“{name}”不在“{folder}”中；选择它所在的文件夹。"
    ),
    "'{folder}' could not be written ({error}); no caption was changed; try again.": (
        "“{folder}”无法写入（{error}）；没有改动任何标注；重试。"
    ),
    "'{folder}' cannot be written ({error}); give yourself the right to, or copy it.": (
        "“{folder}”无法写入（{error}）；授予写入权限，或复制一份。"
    ),
    "'{name}' is larger than {n} MB; make it smaller or remove it.": "“{name}”超过 {n} MB；缩小或删除它。",
    "'{name}' cannot be read ({error}); replace or remove it.": "“{name}”无法读取（{error}）；替换或删除它。",
    "It is a kind of picture that is not read here; save it as PNG or JPEG.": (
        "不支持这种图片格式；另存为 PNG 或 JPEG。"
    ),
    "It is a pipe, a device or a link that leads nowhere; replace it by the picture itself.": (
        "它是管道、设备或失效的链接；换成图片本身。"
    ),
    "This folder cannot be opened; give yourself the right to read it.": "无法打开此文件夹；授予读取权限。",
    "'{folder}' cannot be opened ({error}); choose another folder.": "“{folder}”无法打开（{error}）；换一个文件夹。",
    "'{folder}' holds no pictures that can be used ({names} cannot); add PNG, JPEG or WebP files to it.": (
        "“{folder}”中没有可用的图片（{names} 不可用）；加入 PNG、JPEG 或 WebP 文件。"
    ),
    "'{folder}' holds no pictures{others}; add PNG, JPEG or WebP files to it.": (
        "“{folder}”中没有图片{others}；加入 PNG、JPEG 或 WebP 文件。"
    ),
    "data.hold_back names {names}, which is not used from '{folder}'.": (
        "data.hold_back 中的 {names} 不在“{folder}”所用的图片之列。"
    ),
    "it must be a colour such as white, black or #808080": "须为颜色，例如 white、black 或 #808080",
    "UTF-8 with a byte order mark": "带字节顺序标记的 UTF-8",
    "no encoding fits": "没有合适的编码",
    "'{name}' is too long for a caption; shorten it, or give the file another name.": (
        "“{name}”作为标注太长；缩短它，或给文件改名。"
    ),
    "The caption '{name}' cannot be opened ({error}); mend it.": "标注“{name}”无法打开（{error}）；修复它。",
    "it is too large": "太大",
    "it is not readable text": "不是可读的文本",
    "'{name}' cannot be read ({reason}); save it as UTF-8.": "“{name}”无法读取（{reason}）；另存为 UTF-8。",
    "{n} pictures cannot be used: {names}; mend or remove them, or name them in data.leave_out.": (
        "{n} 张图片无法使用：{names}；修复或删除它们，或写入 data.leave_out。"
    ),
    "{n} picture cannot be used: {names}; mend or remove them, or name them in data.leave_out.": (
        "{n} 张图片无法使用：{names}；修复或删除它，或写入 data.leave_out。"
    ),
    "{n} {many} cannot be used: {names}; mend or remove them, or name them in data.leave_out.": (
        "{n} {many} 无法使用：{names}；修复或删除，或写入 data.leave_out。"
    ),
    "It is nearly the same as '{other}', which then counts twice.": "与“{other}”几乎相同，后者因此会计算两次。",
    "Leave one of them out, unless that is meant.": "去掉其中一张，除非有意如此。",
    "Save the caption as UTF-8, or remove it.": "把标注另存为 UTF-8，或删除它。",
    "It is nearly the same as '{other}', and only one of them is held back: copying would be praised.": (
        "与“{other}”几乎相同，而只留出了其中一张：照抄会得到好评。"
    ),
    "Hold both back, or leave one out.": "两张都留出，或去掉一张。",
    "no words at all": "空白提示词",
    "; as the caption is shuffled, each time another part": "；标注会被打乱，每次丢失的部分不同",
    "It has {sides} pixels and is stretched {n} times to be trained at {wide} x {high}.": (
        "它有 {sides} 像素，训练时要放大 {n} 倍到 {wide} x {high}。"
    ),
    "Take a larger copy, lower data.resolution, or leave it out.": "换用更大的图片，降低 data.resolution，或去掉它。",
    "{cut} of it is cut away: it has {sides} pixels and is trained at {wide} x {high}.": (
        "会裁掉 {cut}：它有 {sides} 像素，训练尺寸为 {wide} x {high}。"
    ),
    "Move its crop to what matters, or cut it into pieces of a usual shape.": (
        "把裁剪框移到重点处，或裁成常见比例的几张。"
    ),
    "It has no sharp edge, even when it is made smaller.": "没有清晰的边缘，缩小后也是。",
    "Take a sharper picture, or leave it out: what is trained on blur draws blur.": (
        "换用更清晰的图片，或去掉它：用模糊图片训练，画出来也模糊。"
    ),
    "It has several frames or pages, and only the first is used.": "有多帧或多页，只用第一帧。",
    "Save the others as pictures of their own, if they matter.": "其余的如有需要，另存为单独的图片。",
    "It is turned upright, as its camera says.": "已按相机记录的方向转正。",
    "It has no caption and is shown with {instead}.": "没有标注，训练时使用 {instead}。",
    "Write what it shows, but not what shall be learnt, into name.txt beside it.": (
        "在旁边的“图片名.txt”中写下画面内容，但不写要学习的主体。"
    ),
    "It has {tokens} tokens, of which {limit} are read: lost is '{lost}'{much}.": (
        "共 {tokens} 个词元，只读取 {limit} 个：丢失“{lost}”{much}。"
    ),
    "Shorten it, the most important words first.": "缩短它，重要的词放在前面。",
    "Its caption is saved as {encoding}; it is read as '{text}'.": "标注的编码为 {encoding}；读作“{text}”。",
    "Save it as UTF-8, so that every program reads the same.": "另存为 UTF-8，使各程序读到的一致。",
    "Its caption does not say '{trigger}', which is put in front.": "标注中没有“{trigger}”，已加在最前。",
    "Write '{subject}' where it belongs, if the front is not the place.": (
        "若不应放在最前，把“{subject}”写到合适的位置。"
    ),
    "{names} changed meanwhile and stayed as found; look there and change them by hand.": (
        "{names} 在此期间被改动，保持原样；请查看并手动修改。"
    ),
    "The caption of '{name}' is too long ({n} bytes); shorten it.": "“{name}”的标注太长（{n} 字节）；缩短它。",
    "It is left out, as data.leave_out says.": "已按 data.leave_out 去掉。",
    "It is named as a mask, but the picture that it belongs to is not there.": "它以遮罩命名，但对应的图片不存在。",
    "Bring the picture, or remove the mask; as it is, it is trained on as a picture.": (
        "放入对应的图片，或删除遮罩；否则会把它当作图片训练。"
    ),
    "A file of its name is there already, and nothing is written over.": "已有同名文件，不会覆盖。",
    "Its picture is not there.": "没有对应的图片。",
    "The embedded example stays as it is; choose or name a folder of your own.": (
        "内置示例保持原样；选择或新建自己的文件夹。"
    ),
    "The captions of '{name}' are written beside their pictures.": "“{name}”中的标注已写到各图片旁。",
    "Unpacked this is {n} GB, more than {limit} GB; bring less at once.": (
        "解压后为 {n} GB，超过 {limit} GB；分批放入。"
    ),
    "This needs {n} GB and {free} GB are free; make room first.": "需要 {n} GB，可用 {free} GB；先腾出空间。",
    "It is there already.": "已存在。",
    "It cannot be copied ({why}).": "无法复制（{why}）。",
    "It is no picture, caption or mask.": "不是图片、标注或遮罩。",
    "It cannot be read ({error}).": "无法读取（{error}）。",
    "{both} share a caption file, '{file}'; rename one of them.": "{both} 共用标注文件“{file}”；给其中一个改名。",
    "Background removal needs rembg; install it with `pip install rembg[cpu]`, then try again.": (
        "去除背景需要 rembg；用 `pip install rembg[cpu]` 安装后重试。"
    ),
    "A mask has one value per pixel, height by width, not the shape {shape}; give it so.": (
        "遮罩每个像素一个值，形状为高×宽，而不是 {shape}；请这样提供。"
    ),
    "The embedded example stays as it is; copy its folder to paint a mask.": (
        "内置示例保持原样；要绘制遮罩请复制其文件夹。"
    ),
    "The mask '{name}' cannot be written ({error}); mend that.": "遮罩“{name}”无法写入（{error}）；排除此问题。",
    "rembg could not find the background of '{name}' ({said}); paint it.": (
        "rembg 找不到“{name}”的背景（{said}）；请手动绘制。"
    ),
    "Its name leads out of the folder.": "其名称指向文件夹之外。",
    "'{name}' holds {n} files, more than {limit}; pack less.": "“{name}”含有 {n} 个文件，超过 {limit}；少打包一些。",
    "'{name}' is no file and no folder; choose pictures, a folder or a zip.": (
        "“{name}”不是文件也不是文件夹；选择图片、文件夹或 zip。"
    ),
    "'{name}' is no zip, or a damaged one; pack it again.": "“{name}”不是 zip，或已损坏；重新打包。",
    "It is a pipe, a device or a link that leads nowhere.": "它是管道、设备或失效的链接。",
    "It is a link and no file.": "它是链接而不是文件。",
    "It is locked by a password.": "有密码保护。",
    "'{out}' lies in the folder of the originals, or around it; choose a new folder apart from it.": (
        "“{out}”位于原图文件夹之内或包含它；选择独立的新文件夹。"
    ),
    "'{out}' is there already; choose a new folder, nothing is ever written over.": (
        "“{out}”已存在；选择新文件夹，不会覆盖任何内容。"
    ),
    "'{name}' is not readable text; save it as UTF-8.": "“{name}”不是可读的文本；另存为 UTF-8。",
    "'{name}' cannot be read ({error}); mend or remove it.": "“{name}”无法读取（{error}）；修复或删除它。",
    "It has {sides} pixels and is stretched {n} times to become {wide} x {high}.": (
        "它有 {sides} 像素，要放大 {n} 倍才到 {wide} x {high}。"
    ),
    "If you can do without it, leave it out (data.leave_out).": "如果可以不用它，就排除它（data.leave_out）。",
    "{cut} of {of} captions go beyond the 75 tokens that are read; `check` says what is lost.": (
        "{of} 条标注中有 {cut} 条超出可读取的 75 个词元；`check` 会说明丢失了什么。"
    ),
    "{n} of {n2} pictures to judge by look nearly the same as one that is learnt "
    "('{name}' as '{name2}'), so copying would be praised; leave out one of each two.": (
        "{n2} 张评判图片中有 {n} 张与训练图片几乎相同（“{name}”与“{name2}”），照搬会被高估；每对只留一张。"
    ),
}
