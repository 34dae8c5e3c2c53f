const within = () => element.querySelector('.bringp');
const units = (count) => { let at = 0; for (; count >= 1000 && at < 3; at++) count /= 1000; return `${count < 100 && at > 1 ? count.toFixed(1) : Math.round(count)} ${['B', 'kB', 'MB', 'GB'][at]}`; };
let card = null;  // of what is on its way
const show = (name, cancel) => { card = window.crucible.card(name, within().dataset.cancel, () => { card = null; cancel(); }); };
const far = (done, total, begun) => {
  const speed = done / Math.max(.1, (Date.now() - begun) / 1000);
  card?.far(done >= total ? within().dataset.judged
    : `${Math.floor(100 * done / total)} % · ${units(done)} / ${units(total)} · ${units(speed)}/s`, done / Math.max(1, total));
};
const failed = (text) => { card?.failed(text, within().dataset.close); card = null; };
const arrived = (names, linked) => {
  card?.away(); card = null;
  trigger('click', { act: 'brought', id: names.join(', '), shift: linked, form: {} });
};
const send = (file) => new Promise((resolve) => {  // as it is, so that the server writes it but once
  const request = new XMLHttpRequest(), begun = Date.now();
  show(file.name, () => { request.abort(); resolve(null); });
  request.open('PUT', `/bring/file?name=${encodeURIComponent(file.name)}`);
  request.upload.addEventListener('progress', (event) => far(event.loaded, event.total, begun));
  request.addEventListener('error', () => resolve({ error: within().dataset.cut }));
  request.addEventListener('load', () => {
    try { resolve(JSON.parse(request.responseText)); } catch { resolve({ error: within().dataset.cut }); }
  });
  request.send(file);
});
const bring = async (files) => {
  const names = [];
  for (const file of files) {
    let said = {};
    try {
      said = await (await fetch(`/bring/ask?name=${encodeURIComponent(file.name)}&size=${file.size}`)).json();
    } catch { said = { error: within().dataset.cut }; }
    if (!said.error) said = await send(file);
    if (!said) break;  // cancelled
    if (said.error) { if (names.length) arrived(names, false); show(file.name, () => {}); failed(said.error); return; }
    names.push(said.name);
  }
  if (names.length) arrived(names, false);
};
const take = async (path) => {
  const gone = new AbortController(), begun = Date.now();
  show(path.split(/[\\/]/).pop(), () => gone.abort());
  let rest = '', last = {};
  try {
    const answer = await fetch(`/bring/path?path=${encodeURIComponent(path)}`, { method: 'POST', signal: gone.signal });
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      const lines = (rest + part.value).split('\n');
      rest = lines.pop();
      for (const line of lines) { last = JSON.parse(line); if (last.total) far(last.done, last.total, begun); }
    }
  } catch { if (gone.signal.aborted) return; last = { error: within().dataset.cut }; }
  if (!last.name) { failed(last.error || within().dataset.cut); return; }
  within().querySelector('#library_path').value = '';
  arrived([last.name], Boolean(last.linked));
};
document.addEventListener('click', (event) => {
  const open = event.target.closest('#library_import');
  if (open && within()) {
    within().hidden = !within().hidden;
    open.setAttribute('aria-expanded', String(!within().hidden));
    if (!within().hidden) within().querySelector('[data-do=choose]').focus();
  }
});
const path = () => { const text = element.querySelector('#library_path').value.trim(); if (text && !card) take(text); else element.querySelector('#library_path').focus(); };
element.addEventListener('click', (event) => {
  const what = event.target.closest('[data-do]')?.dataset.do;
  if (what === 'choose') element.querySelector('input[type=file]').click();
  else if (what === 'path') path();
});
element.addEventListener('keydown', (event) => { if (event.key === 'Enter' && event.target.id === 'library_path') { event.preventDefault(); path(); } });
element.addEventListener('change', (event) => {
  if (event.target.type !== 'file') return;
  const files = [...event.target.files];
  event.target.value = '';
  if (files.length && !card) bring(files);
});
const tab = element.closest('.tabitem');
const carries = (event) => [...(event.dataTransfer?.types || [])].includes('Files');
tab.addEventListener('dragover', (event) => { if (carries(event)) { event.preventDefault(); tab.classList.add('dropping'); } });
tab.addEventListener('dragleave', (event) => { if (!tab.contains(event.relatedTarget)) tab.classList.remove('dropping'); });
tab.addEventListener('drop', (event) => {
  tab.classList.remove('dropping');
  if (!carries(event) || !within()) return;
  event.preventDefault();
  const files = [...event.dataTransfer.files];
  if (files.length && !card) bring(files);
});
