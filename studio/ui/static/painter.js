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
    at.begun = at.dataset.of + at.dataset.ink; steps.length = 0; erases = false;
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
  const ring = (event) => {  // what the brush would cover
    const at = canvas(), box = at.getBoundingClientRect(), one = element.querySelector('.paint .ring');
    const wide = Number(part('size').value) * box.width / at.width;
    Object.assign(one.style, { display: 'block', width: `${wide}px`, height: `${wide}px`,
      left: `${event.clientX - box.left - wide / 2}px`, top: `${event.clientY - box.top - wide / 2}px` });
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
  element.addEventListener('pointermove', (event) => { if (event.target === canvas()) ring(event); });
  element.addEventListener('pointerout', (event) => { if (event.target === canvas()) element.querySelector('.paint .ring').style.display = 'none'; });
  element.addEventListener('click', (event) => {
    const at = event.target.closest('[data-paint]'), all = canvas(), does = at && at.dataset.paint;
    if (!all || !does) return;
    if (does === 'brush' || does === 'eraser') { erases = does === 'eraser'; told(); }
    if (does === 'back' && steps.length) { pen().putImageData(steps.pop(), 0, 0); told(); }
    if (does === 'clear') { keep(); pen().clearRect(0, 0, all.width, all.height); }
    if (does === 'save') trigger('click', { act: 'mask_save', id: all.dataset.of, mask: all.toDataURL('image/png') });
  });
  element.addEventListener('keydown', (event) => {
    if (canvas() && (event.ctrlKey || event.metaKey) && event.key === 'z' && steps.length) { event.preventDefault(); part('back').click(); }
  });
  new MutationObserver(begin).observe(element, { subtree: true, childList: true, attributes: true });
}
