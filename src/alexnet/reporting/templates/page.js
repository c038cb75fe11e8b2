"use strict";
// The page works without this: it adds sorting, the figures under the pointer, and quiet opening.
(() => {
  const all = (what, where = document) => [...where.querySelectorAll(what)];

  // A click on a heading sorts the table: first the other way round, then back.
  for (const table of all("table.sortable")) {
    const heads = all("thead th", table);
    heads.forEach((head, column) => {
      if (!head.dataset.sort) return;
      const button = document.createElement("button");
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => {
        const rising = head.ariaSort !== "ascending";
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", rising ? "ascending" : "descending");
        const key = (row) => {
          const cell = row.cells[column];
          return cell.tagName === "TH" ? cell.textContent : Number(cell.dataset.v ?? NaN);
        };
        const order = (a, b) => {
          const [x, y] = [key(a), key(b)];
          if (typeof x === "string") return x.localeCompare(y, undefined, { numeric: true });
          if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
          return x - y;
        };
        const body = table.tBodies[0];
        const rows = [...body.rows].sort(order);
        body.append(...(rising ? rows : rows.reverse()));
      });
    });
  }

  // The charts share one upright line; the figures of that epoch stand beside them.
  const charts = all(".chart svg");
  const rows = all("#epochs tbody tr");
  const epochs = rows.map((row) => Number(row.cells[0].textContent));
  const readout = document.querySelector(".readout");
  if (readout && rows.length > 1) {
    const saved = readout.innerHTML;
    const rules = charts.map((chart) => {
      const rule = document.createElementNS("http://www.w3.org/2000/svg", "line");
      rule.setAttribute("class", "rule");
      rule.setAttribute("y1", 14);
      rule.setAttribute("y2", chart.viewBox.baseVal.height - 44);
      chart.append(rule);
      return rule;
    });
    const place = (chart, epoch) => {
      const { left, right, first, last } = chart.dataset;
      return Number(left) + ((right - left) * (epoch - first)) / (last - first || 1);
    };
    const show = (index) => {
      charts.forEach((chart, i) => {
        const x = place(chart, epochs[index]);
        rules[i].setAttribute("x1", x);
        rules[i].setAttribute("x2", x);
        rules[i].style.opacity = 1;
      });
      const cells = rows[index].cells;
      readout.querySelector(".which").textContent = `Epoch ${epochs[index]}`;
      all("dd", readout).forEach((value, i) => (value.textContent = cells[i + 1].textContent));
    };
    const hide = () => {
      rules.forEach((rule) => (rule.style.opacity = 0));
      readout.innerHTML = saved;
    };
    for (const chart of charts) {
      chart.addEventListener("pointermove", (event) => {
        const box = chart.getBoundingClientRect();
        const at = ((event.clientX - box.left) / box.width) * chart.viewBox.baseVal.width;
        const { left, right, first, last } = chart.dataset;
        const epoch = Number(first) + ((at - left) / (right - left)) * (last - first);
        let nearest = 0;
        epochs.forEach((other, i) => {
          if (Math.abs(other - epoch) < Math.abs(epochs[nearest] - epoch)) nearest = i;
        });
        show(nearest);
      });
      chart.addEventListener("pointerleave", hide);
    }
  }

  // A cell opens its images beside the matrix without moving the page under the reader.
  const panels = document.querySelector(".panels");
  if (panels) {
    const links = all('a[href^="#cell-"]');
    const open = (name) => {
      panels.classList.add("scripted");
      all(".behind", panels).forEach((each) => each.classList.toggle("open", each.id === name));
      links.forEach((link) => {
        if (link.hash === `#${name}`) link.setAttribute("aria-current", "true");
        else link.removeAttribute("aria-current");
      });
    };
    for (const link of links) {
      link.addEventListener("click", (event) => {
        event.preventDefault();
        const name = link.hash.slice(1);
        const again = link.getAttribute("aria-current");
        open(again ? "" : name);
        history.replaceState(null, "", again ? "#confusion" : link.hash);
        const panel = document.getElementById(name);
        if (!again && panel.getBoundingClientRect().top > innerHeight * 0.8) {
          panel.scrollIntoView({ block: "nearest", behavior: "smooth" });
        }
      });
    }
    if (location.hash.startsWith("#cell-")) open(location.hash.slice(1));
  }

  // One more way to take the command along.
  for (const command of all("pre.command")) {
    if (!navigator.clipboard) break;
    const button = document.createElement("button");
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(command.querySelector("code").textContent);
      button.textContent = "Copied";
    });
    command.append(button);
  }
})();
