"""The only file that translates what a run says on its way."""

ZH = {
    "Hypernetwork": "超网络",
    "{title} cannot train {family} models; choose another method or base.": (
        "{title} 不能训练 {family} 模型；换一种方法或基础模型。"
    ),
    "The {what} was skipped: no memory for it; training goes on.": "已跳过{what}：内存不足；训练继续。",
    "What was learnt became infinite at {step}; lower the learning rate and resume.": (
        "第 {step} 处学到的权重变为无穷大；降低学习率后继续。"
    ),
    "{label} ended by an error of ours: {error}": "{label} 因程序错误而结束：{error}",
    "a Hypernetwork": "超网络",
    "No picture has an alpha channel to be its mask; save them with one, or set data.masks off.": (
        "没有图片带可作遮罩的 alpha 通道；保存时带上，或把 data.masks 设为 off。"
    ),
    "The samples of step {step} were not drawn: {error}": "第 {step} 步的采样没有画出：{error}",
    "The checkpoint '{folder}' is damaged; remove that folder and resume from an older one.": (
        "检查点“{folder}”已损坏；删除该文件夹，从更早的检查点继续。"
    ),
    "The {what} became infinite at step {step}; {causes}; {since}.": (
        "{what}在第 {step} 步变为无穷大；{causes}；{since}。"
    ),
    "float16's loss scaler passed over {n} steps in a row, and nothing was learnt in them; {causes}; {since}.": (
        "float16 的损失缩放连续跳过了 {n} 步，其间什么也没有学到；{causes}；{since}。"
    ),
    "gradient": "梯度",
    "held-out loss": "留出损失",
    "preview": "预览",
    "resume goes on from step {step}": "可从第 {step} 步继续",
    "nothing was saved yet": "尚未保存任何检查点",
    "{error} The run went back to step {step}, its last good state.": (
        "{error}训练已回到第 {step} 步，即最后的正常状态。"
    ),
    "lower optim.lr (now {lr})": "降低 optim.lr（现为 {lr}）",
    "set machine.precision to bf16 or fp32": "把 machine.precision 设为 bf16 或 fp32",
    "set optim.clip to 1": "把 optim.clip 设为 1",
    "begin slowly with schedule.warmup = 0.05": "用 schedule.warmup = 0.05 缓慢起步",
    (
        "This run needs about {peak} ({training} for a step: weights {weights}, optimizer {optimizer}, activations "
        "and gradients {working}; {previewing} for a preview); {free} are free."
    ): (
        "此训练约需 {peak}（每步 {training}：权重 {weights}，优化器 {optimizer}，激活与梯度 {working}；预览 "
        "{previewing}）；可用 {free}。"
    ),
    "{text} It may not fit: it will then go on with less, and say so.": (
        "{text}可能放不下：届时会减少占用继续，并注明。"
    ),
    "How much memory this run needs could not be told ({error}); {free} are free.": (
        "无法估计此训练所需的内存（{error}）；可用 {free}。"
    ),
    "{title} has no format {formats}; use {known}.": "{title} 没有 {formats} 格式；使用 {known}。",
    "The device was full; activations are now computed twice instead of kept (gradient checkpointing).": (
        "显存不足；激活值不再保留，改为重新计算（梯度检查点）。"
    ),
    "The device was full; {smaller} takes over from {optimizer}, whose memory of gradients is dropped.": (
        "显存不足；由 {smaller} 接替 {optimizer}，后者的梯度记录作废。"
    ),
    "The device was full; in float32, which needs no loss scaler, the step is fused into the backward pass.": (
        "显存不足；改用不需要损失缩放器的 float32，使更新步骤能融合进反向传播。"
    ),
    "The device was full; each batch now passes in {parts} parts that add up to the same gradient.": (
        "显存不足；每批改为分 {parts} 份依次通过，合计的梯度不变。"
    ),
    "The run ended by an error of ours ({error}: {text}); the last checkpoint stands.": (
        "训练因程序错误而结束（{error}: {text}）；最后的检查点仍在。"
    ),
    (
        "Another process of this run has died or is out of reach, and none can go on without it; resume with the "
        "same command on all of them: it goes on from the last checkpoint."
    ): "此训练的另一个进程已退出或失联，缺一不可；在所有进程上用相同的命令继续：会从最后的检查点开始。",
    (
        "The device has no room for this step; switch on machine.gradient_checkpointing, take optim.name = "
        "adamw8bit, or lower schedule.batch_size, then resume."
    ): (
        "显存容不下这一步；打开 machine.gradient_checkpointing，使用 optim.name = adamw8bit，或减小 "
        "schedule.batch_size，然后继续。"
    ),
    (
        "The device has no room for its share; switch on machine.gradient_checkpointing, take optim.name = lion or "
        "sgd, lower schedule.batch_size, or launch more processes, then resume."
    ): (
        "显存容不下本进程分到的部分；打开 machine.gradient_checkpointing，使用 optim.name = lion 或 sgd，减小 "
        "schedule.batch_size，或启动更多进程，然后继续。"
    ),
    "'{path}' has no checkpoint to export; train it first.": "“{path}”没有可导出的检查点；先训练它。",
    "The run already stands at step {step}; --steps must be at least that.": "训练已到第 {step} 步；--steps 不能更小。",
    (
        "Steps became many times slower while the device's memory is full: it spills into the computer's memory; "
        "stop, switch on machine.gradient_checkpointing or raise machine.split, and resume."
    ): (
        "显存已满，每步慢了许多倍：数据溢出到了内存；先停止，打开 machine.gradient_checkpointing 或增大 "
        "machine.split，再继续。"
    ),
    "'{name}' is for another model family than this {title} base.": (
        "“{name}”属于另一模型系列，不适用于此 {title} 基础模型。"
    ),
    "its bias does not fit the layer": "其偏置与该层不符",
    "'{name}' has no network of a width that this {title} base asks for.": (
        "“{name}”中没有此 {title} 基础模型所需宽度的网络。"
    ),
    "'{name}' uses the activation '{activation}', which is not known.": "“{name}”使用的激活函数“{activation}”未知。",
    "'{name}' is not for this base, or is damaged: at {path}, {error}; choose another file.": (
        "“{name}”不适用于此基础模型，或已损坏：在 {path} 处，{error}；选择其他文件。"
    ),
    "dyn= cuts LoRA and DyLoRA files to a rank, and this is {kind}": (
        "dyn= 用于裁小 LoRA 与 DyLoRA 文件的秩，而这是 {kind}"
    ),
    "its {kind} tensors do not fit the layer of {shape}": "其 {kind} 张量与形状为 {shape} 的层不符",
    (
        "The held-out loss has not improved {since} times in a row; it was lowest at step {step} ({loss}), so the "
        "run ends here."
    ): "留出损失已连续 {since} 次没有改善；在第 {step} 步最低（{loss}），训练到此结束。",
    "The checkpoint was made with {saved}; what it remembered is dropped, {kind} begins anew.": (
        "检查点由 {saved} 生成；它的记录作废，{kind} 重新开始。"
    ),
    "a finished file": "训练好的文件",
    "lower optim.lr (now {lr}) or {other}": "降低 optim.lr（现为 {lr}），或{other}",
    "set machine.precision to bf16 or fp32 or {other}": "把 machine.precision 设为 bf16 或 fp32，或{other}",
    "set optim.clip to 1 or {other}": "把 optim.clip 设为 1，或{other}",
    "The device was full here.": "显存不足。",
    "The device of another process was full.": "另一进程的显存不足。",
    "{n} processes add up their gradients before any weight moves": "{n} 个进程须先合计梯度再更新权重",
    "float16's loss scaler must see all gradients before any weight moves": (
        "float16 的损失缩放须先看到全部梯度再更新权重"
    ),
    "The step is not fused into the backward pass: {trouble}.": "更新没有融合到反向传播中：{trouble}。",
    "What learns stays in float32: this run computes in {compute}, and bfloat16 weights need bf16.": (
        "可训练的权重保持 float32：此训练以 {compute} 计算，而 bfloat16 权重需要 bf16。"
    ),
    "The gradient of {name} became infinite.": "{name} 的梯度变为无穷大。",
    (
        "{pictures} {many} / {batch_size} at once{together} = {steps} steps an epoch{shapes}; {total} steps are "
        "{epochs} epochs.{beside}"
    ): "{pictures} {many} / 每批 {batch_size}{together} = 每轮 {steps} 步{shapes}；{total} 步为 {epochs} 轮。{beside}",
    "pictures": "张图片",
    "picture": "张图片",
    "pictures, shown {n} times with repeats,": "张图片，重复后共 {n} 次",
    "picture, shown {n} times with repeats,": "张图片，重复后共 {n} 次",
    " x {slots} batches a step": " × 每步 {slots} 批",
    " (a batch holds one shape only)": "（每批只含一种尺寸）",
    " Each batch has as many of the {beside} class images beside.": "每批另加同样多的类别图片（共 {beside} 张）。",
    "The processes do not train the same thing; give all of them the same spec, base and data.": (
        "各进程训练的内容不同；给它们相同的配置、基础模型与数据。"
    ),
    (
        "FSDP does not go with float16, whose loss scaler needs whole gradients, and this machine has no bfloat16; "
        "set machine.precision = fp32, or launch with --multi_gpu."
    ): (
        "FSDP 不能与 float16 同用，其损失缩放需要完整的梯度，而本机不支持 bfloat16；设 machine.precision = fp32，或用"
        " --multi_gpu 启动。"
    ),
    "What learns is split over {count} processes: weights, gradients, the optimizer's memory.": (
        "可训练部分由 {count} 个进程分摊：权重、梯度与优化器状态。"
    ),
}
