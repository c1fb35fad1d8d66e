// Without it the page is complete: it only adds a box that filters a table's rows.
for (const box of document.querySelectorAll('.search')) {
  const rows = document.querySelectorAll('#' + box.dataset.table + ' tbody tr');
  const said = box.querySelector('output');
  box.hidden = false;
  box.querySelector('input').addEventListener('input', (event) => {
    const wanted = event.target.value.toLowerCase().trim().split(/\s+/);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !wanted.every((word) => text.includes(word));
      shown += !row.hidden;
    }
    said.textContent = shown + ' of ' + rows.length;
    box.closest('section').querySelector('details').open = true;
  });
}
