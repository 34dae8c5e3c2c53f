"""The only file that translates what a check of the trigger word says."""

ZH = {
    "`{word}` is 1 token; {why}; choose a rarer word.": "`{word}` 是 1 个词元；{why}；宜换更罕见的词。",
    "`{word}` is {n} tokens; its pieces were never joined, so hardly any text used it: a good trigger word.": (
        "`{word}` 是 {n} 个词元；这些片段从未被合并，语料中几乎没有它：是好的触发词。"
    ),
    "`{word}` is {n} tokens; {why}; choose a rarer word.": "`{word}` 是 {n} 个词元；{why}；宜换更罕见的词。",
    "it is several words, and each keeps its meaning": "它由几个词组成，每个词都保留自己的含义",
    "it is not written in plain letters, so it is taken apart into bytes": "它不是普通拉丁字母，会被拆成字节",
    "people write it: it is among the {n} most common of {of} pieces": (
        "它是常用词：在 {of} 个词元中位列最常见的 {n} 个之内"
    ),
    "it is rare, yet Stable Diffusion bases know it as {what}": "它虽罕见，但 Stable Diffusion 基础模型把它认作{what}",
    "a rifle": "步枪",
    "it is a single letter, which stands in every text": "它是单个字母，到处都会出现",
    "it is rare, yet stood in CLIP's text often enough to be one piece, so it meant something there": (
        "它虽罕见，但在 CLIP 的语料中出现得足以成为一个词元，因此已有含义"
    ),
    "it takes {n} tokens of the 75 that a prompt has": "它占用提示词 75 个词元中的 {n} 个",
    "`{part}` in it means something by itself": "其中的 `{part}` 本身就有含义",
    "There is no word to check; write the word that shall call the subject.": "没有可检查的词；写下用来调用主体的词。",
    "{why}; choose a rarer word.": "{why}；宜换更罕见的词。",
    "its pieces were never joined, so hardly any text used it: a good trigger word.": (
        "这些片段从未被合并，语料中几乎没有它：是好的触发词。"
    ),
    "Pieces: {said}, of {places} in the order in which CLIP's text joined them; letters have no number.": (
        "词元：{said}，共 {places} 个，按 CLIP 语料的合并顺序；单个字母没有编号。"
    ),
    "Nearest in the token table: {near}.": "词元表中最接近：{near}。",
    "Nearest everyday word in the text encoder: `{word}` ({cosine}).": (
        "文本编码器中最接近的日常词：`{word}`（{cosine}）。"
    ),
    "It moves the prompt by {moves}: farther than {farther} of {of} everyday words.": (
        "它使提示词移动 {moves}：比 {of} 个日常词中的 {farther} 个更远。"
    ),
}
