"""The only file that translates what only the report of a comparison says."""

ZH = {
    "Methods": "方法",
    "Method": "方法",
    "Dataset": "数据集",
    "Called": "名称",
    "Base model": "基础模型",
    "Budget": "预算",
    "Steps": "步数",
    "Training seeds": "训练种子",
    "Sample seeds": "采样种子",
    "as each preset advises": "按各预设的建议",
    "equal steps": "步数相同",
    "equal minutes, {n} each": "时间相同，各 {n} 分钟",
    "{figure} each": "各 {figure}",
    "At every step all runs of one seed saw the same pictures with the same noise and timesteps.": (
        "同一种子的所有运行在每一步看到的图片、噪声和时间步都相同。"
    ),
    "The runs share seeds, but not the batch size: steps of different runs saw different pictures.": (
        "各运行的种子相同，但批大小不同：不同运行的同一步看到的图片不同。"
    ),
    "Figures": "数据",
    "best": "最佳",
    "worst": "最差",
    "tie with the best": "与最佳持平",
    "▲ best, ▼ worst, = tie with the best; the base is not ranked.": (
        "▲ 最佳，▼ 最差，= 与最佳持平；基础模型不参与排名。"
    ),
    "± is the deviation over seeds.": "± 为不同种子间的偏差。",
    "Each method ran with one seed, so small differences may be chance; repeats would tell.": (
        "每种方法只用一个种子训练，小的差异可能出于偶然；重复训练才能判断。"
    ),
    "Likeness, prompt fit and forgetting are seen by the {eye}.": "相似度、提示词契合和遗忘由 {eye} 评判。",
    "Which one?": "选哪一个？",
    "What counted:": "计入：",
    ". Other weights may say otherwise.": "。换一组权重，结论可能不同。",
    "Prompts × methods": "提示词 × 方法",
    "Prompts by methods": "提示词与方法",
    "The newest samples of each run at equal seeds.": "各运行在相同种子下的最新采样。",
    "Right of the rule stand prompts without the trigger: there nothing should change.": (
        "竖线右侧是不含触发词的提示词：那里不应有变化。"
    ),
    "Training pictures": "训练图片",
    "seed {figure}": "种子 {figure}",
    "no picture": "无图片",
    "Figures against each other": "指标对照",
    "Likeness over training time": "相似度随训练时间的变化",
    "training time": "训练时间",
    "likeness": "相似度",
    "prompt fit": "提示词契合",
    "file": "文件",
    "Likeness over training time, at each round of samples.": "每轮采样时的相似度随训练时间的变化。",
    "Likeness against prompt fit": "相似度与提示词契合",
    "Likeness against prompt fit: up and to the right is better.": "相似度与提示词契合：越靠右上越好。",
    "Likeness against the size of the file": "相似度与文件大小",
    "Likeness against file size: none beats those on the dashed front in both.": (
        "相似度与文件大小：虚线前沿上的方法在两方面都没有被超过。"
    ),
    "Blind votes": "盲选",
    "{rate} of {votes} votes won, {low} to {high} with 95% confidence": (
        "{votes} 次投票中胜出 {rate}，95% 置信区间 {low} 至 {high}"
    ),
    "Loss": "损失",
    "Training loss by step": "各步的训练损失",
    "{title}, dashed": "{title}，虚线",
    "Training loss by step, smoothed. A low loss is no likeness: see the pictures.": (
        "各步的训练损失（平滑）。损失低不等于像：请看图片。"
    ),
    "What the methods are": "方法简介",
    "Settings that differ": "不同的设置",
    "Decisions": "决定",
    "precision": "精度",
    "save precision": "保存精度",
    "attention": "注意力",
    "optimizer": "优化器",
    "Files to use": "可用文件",
    "What the figures mean": "指标的含义",
}
