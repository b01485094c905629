(function () {
  "use strict";
  var form = document.getElementById("what-if-form");
  var rows = document.querySelectorAll("#what-if-table tbody tr");
  if (!form || !rows.length) { return; }
  var boxes = form.querySelectorAll("input[type=checkbox]");
  var shown = form.querySelectorAll("[data-cell]");
  function update() {
    var asked = 0;
    boxes.forEach(function (box, place) { if (box.checked) { asked += 1 << place; } });
    var cells = rows[asked].querySelectorAll("td");
    shown.forEach(function (place) { place.textContent = cells[Number(place.dataset.cell)].textContent; });
  }
  form.addEventListener("change", update);
  form.addEventListener("reset", function () { setTimeout(update, 0); });
  form.addEventListener("submit", function (event) { event.preventDefault(); });
  form.hidden = false;
  update();
})();
