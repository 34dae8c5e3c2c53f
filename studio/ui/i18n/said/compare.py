"""The only file that translates what a comparison says."""

ZH = {
    "Likeness": "相似度",
    "Prompt fit": "提示词契合",
    "Forgetting": "遗忘",
    "Held-out loss": "留出损失",
    "Step": "每步",
    "Time": "时间",
    "Learns": "可训练",
    "File": "文件",
    "not started": "尚未开始",
    "not measured yet": "尚未测量",
    "being sampled": "采样中",
    "not sampled yet": "尚未采样",
    "The base was not trained.": "基础模型没有训练。",
    "failed at {n}": "在第 {n} 步失败",
    "stopped at {n}": "在第 {n} 步停止",
    "interrupted at {n}": "在第 {n} 步中断",
    "training, step {n}": "训练中，第 {n} 步",
    "preparing, step {n}": "准备中，第 {n} 步",
    "sampling, step {n}": "采样中，第 {n} 步",
    "There is no eye to judge pictures with; `python -m studio.starter.build` makes it.": (
        "没有评判图片的模型；`python -m studio.starter.build` 可以生成。"
    ),
    "The starter's eye is not built; `python -m studio.starter.build` makes it.": (
        "内置的评判模型尚未生成；`python -m studio.starter.build` 可以生成。"
    ),
    (
        "How like the samples that call the subject are to pictures of it that were never trained on: cosine to the "
        "nearest held-out picture, mean over the samples."
    ): "调用主体的采样与从未训练过的图片有多像：与最近的留出图片的余弦，取平均。",
    "A copy of a training picture scores well, and so does a background like that of the held-out pictures.": (
        "照抄训练图片也会得高分，与留出图片相似的背景也会。"
    ),
    (
        "How well the samples that call the subject show the rest of their prompt: cosine to the prompt with the "
        "class word in place of the trigger."
    ): "调用主体的采样对提示词其余部分的体现：与以类别词替换触发词的提示词的余弦。",
    "A picture may move without becoming worse; nothing learnt at all also scores 0.": (
        "图片改变不等于变差；什么都没学到也是 0。"
    ),
    "Denoising loss on the held-out pictures with noise and timesteps that are the same for every run.": (
        "留出图片上的去噪损失，各训练的噪声与时间步相同。"
    ),
    "It follows colour and layout more than likeness; differences in the third digit can decide.": (
        "它更多反映颜色与构图而非相似度；第三位的差别也可能决定高下。"
    ),
    "Wall time of one optimizer update, mean over the run, without samples and checkpoints.": (
        "一次参数更新的实际用时，全程平均，不含采样与检查点。"
    ),
    "It depends on what else the machine does, and a larger batch makes a step longer.": (
        "取决于本机的其他负载；批越大，每步越久。"
    ),
    "Training time to the end of the run, all sittings together, without samples.": "训练总用时，多次合计，不含采样。",
    "The best likeness may have come long before the end.": "最佳相似度可能早已出现。",
    "The most memory that was held while training.": "训练中占用的最大内存。",
    "On a CPU this is the whole program with the base model, so methods differ less than on a graphics card.": (
        "在 CPU 上这是包含基础模型的整个程序，方法间差别小于显卡。"
    ),
    "How many numbers learn.": "有多少个数值在学习。",
    "Fewer is cheaper, not better by itself.": "越少越省，但不因此更好。",
    "Size of the file that is handed on: the smallest of the exports.": "交付文件的大小：导出文件中最小的一个。",
    "An adapter or a word needs its base model beside it; a checkpoint stands alone.": (
        "适配器或新词需要配合基础模型；检查点可独立使用。"
    ),
    "No pictures were held out: likeness is judged by the training pictures, which favours copies.": (
        "没有留出图片：以训练图片评判，会偏向照抄。"
    ),
    "An experiment needs at least one run; name a preset.": "实验至少需要一个训练；写出一个预设。",
    "repeats must be at least 1, not {repeats}.": "repeats 至少为 1，不能是 {repeats}。",
    "These runs cannot be compared, because they differ in more than the method: {said}.": (
        "这些训练不能对比，因为除方法外还有不同：{said}。"
    ),
    "The starter's eye is damaged; `python -m studio.starter.build` makes it anew.": (
        "内置的评判模型已损坏；`python -m studio.starter.build` 可以重新生成。"
    ),
    "'{said}' names no words behind the equals sign; write what calls the file's subject.": (
        "“{said}”的等号后没有词；写出调用该文件主体的词。"
    ),
    "It came out as no finite number.": "结果不是有限的数值。",
    "The file was not trained here.": "此文件不是在这里训练的。",
    "The smallest export: {name}.": "最小的导出文件：{name}。",
    "The untrained base often leads: it paints the prompt and knows nothing of the subject.": (
        "未训练的基础模型常常领先：它只画提示词，不认识主体。"
    ),
    "How far the pictures of prompts without the trigger moved from the base at equal seeds: one minus the cosine.": (
        "不含触发词的图片在相同种子下偏离基础模型多远：一减余弦。"
    ),
    "The base was sampled with other prompts or seeds.": "基础模型采样时用的提示词或种子不同。",
    "There are no held-out pictures to take the loss on.": "没有可用来计算损失的留出图片。",
    "The device does not tell its memory.": "设备没有给出内存用量。",
    "The run did not say how many parameters learn.": "训练没有给出可训练参数的数量。",
    "Nothing was exported.": "没有导出文件。",
    "calls the subject": "调用主体",
    "leaves the subject out": "不含主体",
    "There is no sample of a prompt that {which}; add such a prompt.": "没有{which}的提示词的采样；添加这样的提示词。",
    "The base was not sampled.": "基础模型没有采样。",
    "There are no samples.": "没有采样。",
    "It was measured by another eye than the base; start the comparison again to measure it anew.": (
        "它与基础模型不是用同一个评判模型测量的；重新开始对比即可重新测量。"
    ),
    "stopped at {step}, samples of {drawn}": "在第 {step} 步停止，采样来自第 {drawn} 步",
    "paused, step {n}": "已暂停，第 {n} 步",
    "saving, step {n}": "保存中，第 {n} 步",
    "failed": "失败",
    "{done} of {count} seeds; {said}": "{count} 个种子中的 {done} 个；{said}",
    "loss": "损失",
    "There is no {kind} '{name}'; {hint}": "没有名为“{name}”的 {kind}；{hint}",
    "At {pace} s a step, {minutes} minutes are about {n} steps.": "每步 {pace} 秒，{minutes} 分钟约为 {n} 步。",
    "A budget of equal {budget} needs their number; give --{option} a value above 0.": (
        "按相同的 {budget} 比较需要给出其数量；把 --{option} 设为大于 0 的值。"
    ),
    "The new order must name each of {names} once.": "新的顺序须把 {names} 各写一次。",
    "'{stem}' is in the experiment already with {n} seed{s}; ask for more repeats, or change a setting.": (
        "“{stem}”已在实验中，有 {n} 个种子；增加重复次数，或更改一项设置。"
    ),
    "Between the samples of steps {left} and {right}.": "介于第 {left} 步与第 {right} 步的采样之间。",
    "Too few steps were sampled; set sample.every.": "采样的步数太少；设置 sample.every。",
    "It never came nearer to the subject than the untrained base.": "它从未比未训练的基础模型更接近主体。",
    "The device does not tell its energy: that needs an NVIDIA card and nvidia-ml-py.": (
        "设备没有给出能耗：这需要 NVIDIA 显卡与 nvidia-ml-py。"
    ),
    "No pictures were held out, so nothing tells how near a new picture of the subject comes.": (
        "没有留出图片，因此无从得知主体的新图片能有多接近。"
    ),
    "Nearest: '{prompt}' to {file}, {score}; held-out pictures reach {limit}.": (
        "最接近：“{prompt}”与 {file}，{score}；留出图片可达 {limit}。"
    ),
    "The {name} cannot read; name a CLIP model behind it, as in DINO+CLIP.": (
        "{name} 不能读文字；在其后加上 CLIP 模型，例如 DINO+CLIP。"
    ),
    "Prompts are read by the {name}.": "提示词由 {name} 读取。",
    "One picture has nothing to differ from; add seeds or prompts.": "只有一张图片，无从比较差异；增加种子或提示词。",
    "Variety is taken across prompts, for each was drawn with one seed.": (
        "多样性按提示词之间比较，因为每个提示词只用了一个种子。"
    ),
    "A held-out picture is also trained on, so copies cannot be told; hold out others.": (
        "有一张留出图片也用于训练，因此无法识别照抄；换其他图片留出。"
    ),
    "Where prompts without the trigger name other things than the class, little drift shows.": (
        "不含触发词的提示词若写的不是同类事物，则几乎看不出漂移。"
    ),
    (
        "How different the samples that call the subject are from each other: one minus the cosine, mean over pairs "
        "of seeds, or over prompts where there is one seed."
    ): "调用主体的采样彼此有多不同：一减余弦，对成对的种子取平均；只有一个种子时对提示词取平均。",
    "Broken pictures differ most of all, and a subject that is always met as itself differs less than the base.": (
        "损坏的图片差异最大；始终画成同一主体时，差异小于基础模型。"
    ),
    (
        "The share of the samples that are nearer to a training picture than any held-out picture of the subject is: "
        "those were copied rather than learnt."
    ): "比任何留出图片都更接近训练图片的采样所占的比例：它们是照抄而不是学会。",
    "With few samples it moves in large steps, and a subject that is always drawn alike has true pictures that near.": (
        "采样少时数值跳动大；总是画得相似的主体，真实图片也会这样接近。"
    ),
    "Training time until likeness had come nine tenths of the way from the untrained base to the run's own best.": (
        "相似度从未训练的基础模型到本次最佳走完九成所用的训练时间。"
    ),
    "It is as fine as the samples are frequent, and a run that learns little is soon at its best.": (
        "采样越密越精确；学得少的训练很快就到达自己的最佳。"
    ),
    "What the card itself spent in the steps of the training, by its own meter.": "显卡自身计量的训练各步能耗。",
    "Processor, fans and power supply are left out, and what else the card computed meanwhile is counted in.": (
        "不含处理器、风扇与电源；显卡同时进行的其他计算也计入其中。"
    ),
    "Energy": "能耗",
    "Copies": "照抄",
    "Drift": "漂移",
    "There is no eye '{name}' here; give `starter`, or the folder of a DINOv2 or CLIP model.": (
        "这里没有评判模型“{name}”；输入 `starter`，或 DINOv2、CLIP 模型的文件夹。"
    ),
    "'{name}' cannot read prompts; put a CLIP model behind the plus.": "“{name}”不能读提示词；在加号后写上 CLIP 模型。",
    "'{name}' reads prompts itself; name it alone.": "“{name}”自己能读提示词；只写它即可。",
    "'{folder}' is neither a CLIP nor a DINOv2 model; name another eye.": (
        "“{folder}”既不是 CLIP 也不是 DINOv2 模型；换一个评判模型。"
    ),
    "'{folder}' holds no weights; download the model anew, or name another eye.": (
        "“{folder}”不含权重；重新下载模型，或换一个评判模型。"
    ),
    "'{folder}' is no whole {kind} model; download it anew, or name another eye.": (
        "“{folder}”不是完整的 {kind} 模型；重新下载，或换一个评判模型。"
    ),
    "Variety": "多样性",
    "Time to 90%": "达 90% 用时",
    (
        "How much the pictures of prompts without the trigger became like the subject: their likeness to it, less "
        "that of the base's at equal seeds; 0 where they moved elsewhere."
    ): "不含触发词的图片变得有多像主体：它们与主体的相似度，减去基础模型在相同种子下的相似度；往别处改变则为 0。",
    "'{choice}' is no answer; use left, right or tie.": "“{choice}”不是有效的回答；使用 left、right 或 tie。",
    "This pair is no longer asked; take the next one.": "这一对已不再询问；看下一对。",
    "A sheet needs at least one run, prompt, seed and weight.": "图表至少需要一个训练、提示词、种子与权重。",
    "x, y and z must share out {axes}, each once; they have {given}.": "x、y 与 z 须把 {axes} 各用一次；现为 {given}。",
    "None of these files says what {trigger} is; write the word itself into the prompt.": (
        "这些文件都没有说明 {trigger} 是什么；把该词直接写进提示词。"
    ),
    "'{name}' brings a weight of its own; name the weights of a sheet apart.": (
        "“{name}”自带权重；图表的权重须另行指定。"
    ),
    "It never came nearer to the subject than before its first step.": "它从未比第一步之前更接近主体。",
    "Training time until likeness had come nine tenths of the way from the run's first samples to its own best.": (
        "相似度从本次最初的采样到自己的最佳走完九成所用的训练时间。"
    ),
}
