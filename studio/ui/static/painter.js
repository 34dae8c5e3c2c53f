{  // a mask is painted on a canvas over the picture, as large as its file will be
  const canvas = () => element.querySelector('.paint canvas');
  const pen = () => canvas().getContext('2d', { willReadFrequently: true });
  const part = (name) => element.querySelector(`.paint [data-paint=${name}]`);
  const steps = [];
  let erases = false;
  const told = () => {
    part('brush').setAttribute('aria-pressed', String(!erases)); part('eraser').setAttribute('aria-pressed', String(erases));
    part('back').disabled = !steps.length;
  };
  const keep = () => { const at = canvas(); steps.push(pen().getImageData(0, 0, at.width, at.height)); steps.splice(0, steps.length - 20); told(); };
  const begin = () => {
    const at = canvas();
    if (!at || at.begun === at.dataset.of + at.dataset.ink) return;
    at.begun = at.dataset.of + at.dataset.ink; steps.length = 0; erases = false; spot = null; held = false;
    pen().clearRect(0, 0, at.width, at.height); told();
    if (!at.dataset.ink) return;
    const old = new Image();
    old.onload = () => { if (canvas() === at && !steps.length) pen().drawImage(old, 0, 0, at.width, at.height); };
    old.src = at.dataset.ink;
  };
  const where = (event) => {
    const at = canvas(), box = at.getBoundingClientRect();
    return { x: (event.clientX - box.left) * at.width / box.width, y: (event.clientY - box.top) * at.height / box.height };
  };
  const stroke = (from, to) => {
    const to2d = pen();
    Object.assign(to2d, { globalCompositeOperation: erases ? 'destination-out' : 'source-over', strokeStyle: '#4cc2c9',
      lineWidth: Number(part('size').value), lineCap: 'round', lineJoin: 'round' });
    to2d.beginPath(); to2d.moveTo(from.x, from.y); to2d.lineTo(to.x, to.y + 0.01); to2d.stroke();
    to2d.globalCompositeOperation = 'source-over';
  };
  const ring = (spot) => {  // what the brush would cover
    const at = canvas(), scale = at.getBoundingClientRect().width / at.width, wide = Number(part('size').value) * scale;
    Object.assign(element.querySelector('.paint .ring').style, { display: 'block', width: `${wide}px`, height: `${wide}px`,
      left: `${spot.x * scale - wide / 2}px`, top: `${spot.y * scale - wide / 2}px` });
  };
  element.addEventListener('pointerdown', (event) => {
    const at = canvas();
    if (!at || event.target !== at || event.button) return;
    event.preventDefault(); keep(); at.setPointerCapture(event.pointerId);
    let last = where(event);
    stroke(last, last);
    const move = (to) => { const next = where(to); stroke(last, next); last = next; };
    const end = () => { at.removeEventListener('pointermove', move); };
    at.addEventListener('pointermove', move);
    at.addEventListener('pointerup', end, { once: true }); at.addEventListener('pointercancel', end, { once: true });
  });
  element.addEventListener('pointermove', (event) => { if (event.target === canvas()) ring(where(event)); });
  element.addEventListener('pointerout', (event) => { if (event.target === canvas()) element.querySelector('.paint .ring').style.display = 'none'; });
  element.addEventListener('click', (event) => {
    const at = event.target.closest('[data-paint]'), all = canvas(), does = at && at.dataset.paint;
    if (!all || !does) return;
    if (does === 'brush' || does === 'eraser') { erases = does === 'eraser'; told(); }
    if (does === 'back' && steps.length) { pen().putImageData(steps.pop(), 0, 0); told(); }
    if (does === 'clear') { keep(); pen().clearRect(0, 0, all.width, all.height); }
    if (does === 'save') trigger('click', { act: 'mask_save', id: all.dataset.of, mask: all.toDataURL('image/png') });
  });
  let spot = null, held = false;  // where the keyboard holds the brush, and whether it is down
  const say = () => {
    const at = canvas(), share = { x: Math.round(100 * spot.x / at.width), y: Math.round(100 * spot.y / at.height), n: part('size').value };
    element.querySelector('.paint [role=status]').textContent = at.dataset.at.replace(/\{(\w)\}/g, (_, name) => share[name]);
    ring(spot);
  };
  const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  element.addEventListener('keydown', (event) => {
    const at = canvas(), way = ways[event.key];
    if (at && (event.ctrlKey || event.metaKey) && event.key === 'z' && steps.length) { event.preventDefault(); part('back').click(); return; }
    if (!at || event.target !== at || event.ctrlKey || event.metaKey || event.altKey) return;
    const size = part('size'), by = event.shiftKey ? 1 : Math.max(1, Number(size.value) / 4);
    const was = spot || { x: at.width / 2, y: at.height / 2 };
    spot = was;
    if (way) {
      spot = { x: Math.min(Math.max(was.x + way[0] * by, 0), at.width), y: Math.min(Math.max(was.y + way[1] * by, 0), at.height) };
      if (held) stroke(was, spot);
    } else if (event.key === ' ') {
      if (!held) { keep(); held = true; stroke(spot, spot); }
    } else if (event.key === '[' || event.key === ']') {
      size.value = Number(size.value) * (event.key === ']' ? 1.25 : 0.8) + (event.key === ']' ? 1 : -1);
    } else return;
    event.preventDefault(); say();
  });
  element.addEventListener('keyup', (event) => { if (event.key === ' ') held = false; });
  element.addEventListener('focusin', (event) => {
    const at = canvas();
    if (!at || event.target !== at || !at.matches(':focus-visible')) return;
    spot = spot || { x: at.width / 2, y: at.height / 2 }; say();
  });
  element.addEventListener('focusout', (event) => {
    held = false;
    if (event.target === canvas()) element.querySelector('.paint .ring').style.display = 'none';
  });
  new MutationObserver(begin).observe(element, { subtree: true, childList: true, attributes: true });
}
