{  // pictures, a folder or a zip: dropped anywhere on the tab, or asked for by the button
  const zone = element.closest('#dataset_left');
  const told = () => document.querySelector('#dataset_upload').dataset;
  let card = null, request = null, cancelled = false;
  const put = (name) => { card = window.crucible.card(name, told().cancel, () => { cancelled = true; request?.abort(); }); };
  const failed = (name, text) => { put(name); card.failed(text, told().close); };
  const shown = (at, of) => {
    put('');
    return (name, n, done) => card.far(told().sending.replace('{n}', n).replace('{of}', at), done / Math.max(1, of), name);
  };
  const send = (file, far) => new Promise((good) => {  // where it lies now, or what is wrong
    request = new XMLHttpRequest();
    const parts = new FormData();
    parts.append('files', file, file.name);
    request.open('POST', '/gradio_api/upload');
    request.upload.addEventListener('progress', (event) => far(event.loaded));
    request.addEventListener('error', () => good({ wrong: told().lost }));
    request.addEventListener('abort', () => good({}));
    request.addEventListener('load', () => {
      try {
        if (request.status === 200) { good({ path: JSON.parse(request.responseText)[0] }); return; }
      } catch { /* no list of files: said below */ }
      good({ wrong: request.status === 413 ? told().big : told().wrong.replace('{status}', request.status) });
    });
    request.send(parts);
  });
  const bring = async (files) => {
    const good = files.filter(([one]) => !one.name.startsWith('.')), whole = good.reduce((sum, [one]) => sum + one.size, 0);
    if (!good.length || zone.classList.contains('busy')) return;
    const sent = [], far = shown(good.length, whole);
    let done = 0, wrong = null;
    cancelled = false; zone.classList.add('busy');
    for (const [number, [file, name]] of good.entries()) {
      far(name, number + 1, done);
      const came = file.size > Number(told().most) ? { wrong: told().big } : await send(file, (part) => far(name, number + 1, done + part));
      if (came.wrong) wrong = [name, came.wrong];
      if (!came.path || cancelled) break;
      sent.push({ path: came.path, name });
      done += file.size;
    }
    zone.classList.remove('busy');
    if (cancelled) return;
    card.away();
    if (sent.length) trigger('upload', { files: sent });
    if (wrong) failed(...wrong);
  };
  const inside = async (entry) => {
    if (entry.isFile) return [[await new Promise((good, bad) => entry.file(good, bad)), entry.fullPath.replace(/^\//, '')]];
    const reader = entry.createReader(), found = [];
    for (;;) {
      const some = await new Promise((good, bad) => reader.readEntries(good, bad));
      if (!some.length) return found;
      for (const one of some) found.push(...await inside(one));
    }
  };
  document.addEventListener('click', (event) => {
    if (!event.target.closest('#dataset_upload')) return;
    const asked = Object.assign(document.createElement('input'), { type: 'file', multiple: true });
    asked.addEventListener('change', () => bring([...asked.files].map((one) => [one, one.name])));
    asked.click();
  });
  const ours = (event) => zone.offsetParent && [...event.dataTransfer.types].includes('Files');
  document.addEventListener('dragover', (event) => { if (ours(event)) { event.preventDefault(); zone.classList.add('over'); } });
  document.addEventListener('dragleave', (event) => { if (!event.relatedTarget) zone.classList.remove('over'); });
  document.addEventListener('drop', async (event) => {
    if (event.defaultPrevented || !ours(event)) return;
    event.preventDefault(); zone.classList.remove('over');
    const loose = [...event.dataTransfer.files].map((one) => [one, one.name]);
    const entries = [...event.dataTransfer.items].map((one) => one.webkitGetAsEntry && one.webkitGetAsEntry()).filter(Boolean);
    try {
      await bring(entries.length ? (await Promise.all(entries.map(inside))).flat() : loose);
    } catch (error) { failed(entries.map((one) => one.name).join(', '), told().wrong.replace('{status}', error.name)); }
  });
}
