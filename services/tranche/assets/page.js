// Makes the date slider live. Without this file the page is an ordinary form.
"use strict";

(() => {
  const form = document.querySelector("form.choose");
  const panel = document.getElementById("panel");
  if (!form || !panel) return;
  document.documentElement.classList.add("js");

  const slider = form.elements.namedItem("day");
  const date = form.elements.namedItem("as_of");
  const known = form.elements.namedItem("known_at");
  const DAY = 86400000;
  const first = Date.parse(form.dataset.first);
  const written = new Intl.DateTimeFormat("en-GB", { dateStyle: "long", timeZone: "UTC" });
  let running = null;
  let waiting = 0;

  const dayOf = (text) => Math.round((Date.parse(text) - first) / DAY);

  const describe = () => {
    const day = Date.parse(date.value);
    if (!Number.isNaN(day)) slider.setAttribute("aria-valuetext", written.format(day));
  };

  const address = () => {
    const query = new URLSearchParams();
    if (date.value) query.set("as_of", date.value);
    if (known.value) query.set("known_at", known.value);
    const scope = form.querySelector("#scope");
    if (scope) query.set(scope.name, scope.value);
    return query;
  };

  const mark = () => {
    for (const link of form.querySelectorAll(".milestones a")) {
      if (link.dataset.date === date.value) link.setAttribute("aria-current", "date");
      else link.removeAttribute("aria-current");
    }
  };

  const show = async () => {
    running?.abort();
    const mine = new AbortController();
    running = mine;
    const query = address();
    const page = `/?${query}`;
    query.set("fragment", "1");
    panel.classList.add("busy");
    try {
      const answer = await fetch(`/?${query}`, { signal: mine.signal });
      if (!answer.ok) throw new Error(String(answer.status));
      const html = await answer.text();
      if (running !== mine) return;
      const open = [...panel.querySelectorAll("details")].map((one) => one.open);
      panel.innerHTML = html;
      panel.querySelectorAll("details").forEach((one, index) => {
        one.open = open[index] ?? false;
      });
      history.replaceState(null, "", page);
    } catch (error) {
      if (error.name === "AbortError") return;
      location.assign(page);
    } finally {
      if (running === mine) panel.classList.remove("busy");
    }
  };

  const soon = () => {
    describe();
    mark();
    clearTimeout(waiting);
    waiting = setTimeout(show, 60);
  };

  slider.addEventListener("input", () => {
    date.value = new Date(first + Number(slider.value) * DAY).toISOString().slice(0, 10);
    soon();
  });

  for (const field of [date, known]) {
    field.addEventListener("change", () => {
      if (field === date && date.value) slider.value = String(dayOf(date.value));
      soon();
    });
  }

  form.addEventListener("click", (event) => {
    const link = event.target.closest(".milestones a");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    date.value = link.dataset.date;
    slider.value = String(dayOf(date.value));
    soon();
  });

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    soon();
  });

  describe();
})();
