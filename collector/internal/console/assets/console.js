// SPDX-License-Identifier: Apache-2.0
// What a page does by itself: follow the event stream, keyboard, theme. Without it every page still works.
"use strict";

(() => {
  // This trusted types policy is the only way to create nodes from HTML, and it is used only for pages of this server. The
  // Content-Security-Policy blocks others.
  const policy = window.trustedTypes
    ? window.trustedTypes.createPolicy("stillwatch", { createHTML: (s) => s })
    : { createHTML: (s) => s };

  const byId = (id) => document.getElementById(id);

  // ---- Live updates: after a change, the page is fetched again and its changed regions are replaced.

  const pause = 1000; // minimum time between two refreshes, in milliseconds
  let pending = false;
  let running = false;
  let last = 0;

  function setLive(state, text) {
    const el = byId("live");
    if (!el) return;
    el.dataset.state = state;
    byId("live-text").textContent = text;
  }

  // follow reads the event stream after the last change that the page shows. It is closed while the page is hidden: browsers
  // limit the connections to one server, and hidden tabs would use them up.
  function follow(url, after) {
    let source = null;
    const open = () => {
      source = new EventSource(`${url}?after=${after}`);
      source.addEventListener("open", () => setLive("on", "live"));
      source.addEventListener("error", () => setLive("wait", "reconnecting"));
      for (const kind of ["alert", "device", "reset"]) {
        source.addEventListener(kind, (e) => {
          after = e.lastEventId || after;
          schedule();
        });
      }
    };
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) {
        source?.close();
        source = null;
        setLive("off", "paused");
      } else if (!source) {
        open();
        if (pending) schedule();
      }
    });
    if (!document.hidden) open();
  }

  function schedule() {
    pending = true;
    if (running || document.hidden) return;
    running = true;
    setTimeout(refresh, Math.max(0, last + pause - Date.now()));
  }

  async function refresh() {
    pending = false;
    try {
      const answer = await fetch(location.href, { headers: { "X-Stillwatch-Quiet": "1" } });
      if (answer.redirected && new URL(answer.url).pathname === "/signin") {
        location.reload();
        return;
      }
      if (answer.ok) replaceRegions(new DOMParser().parseFromString(policy.createHTML(await answer.text()), "text/html"));
    } catch {
      setLive("wait", "reconnecting"); // the event stream reports when the server is back
    }
    last = Date.now();
    running = false;
    if (pending) schedule();
  }

  function replaceRegions(fresh) {
    const seen = keys(document);
    const titles = [];
    for (const now of document.querySelectorAll("[data-region]")) {
      const next = fresh.querySelector(`[data-region="${now.dataset.region}"]`);
      if (!next || next.innerHTML === now.innerHTML) continue;
      const focus = focused(now);
      const open = new Set([...now.querySelectorAll("details[open][data-keep]")].map((d) => d.dataset.keep));
      now.replaceChildren(...[...next.childNodes].map((n) => document.adoptNode(n)));
      for (const d of now.querySelectorAll("details[data-keep]")) d.open = open.has(d.dataset.keep);
      for (const row of now.querySelectorAll("tr[data-key]")) {
        if (seen.has(row.dataset.key)) continue;
        row.classList.add("fresh");
        const link = row.querySelector("a.open");
        if (link && now.dataset.region === "alerts") titles.push(link.textContent);
      }
      if (focus) now.querySelector(focus)?.focus();
    }
    if (titles.length) byId("announce").textContent = titles.length === 1 ? `New alert: ${titles[0]}` : `${titles.length} new alerts`;
  }

  function keys(root) {
    return new Set([...root.querySelectorAll("tr[data-key]")].map((r) => r.dataset.key));
  }

  // focused returns a selector of the focused link, to restore the focus after the replacement.
  function focused(region) {
    const el = document.activeElement;
    if (!el || !region.contains(el)) return "";
    const href = el.getAttribute("href");
    return href ? `${el.localName}[href="${CSS.escape(href)}"]` : "";
  }

  // ---- Keyboard.

  const shortcuts = { o: "/", a: "/alerts", i: "/incidents", d: "/devices", s: "/sensors" };
  let prefix = 0;

  function typing(el) {
    return el.closest("input, select, textarea, [contenteditable]") !== null;
  }

  function step(by) {
    const links = [...document.querySelectorAll(".rows a.open, .timeline a.open")];
    if (!links.length) return;
    const at = links.indexOf(document.activeElement);
    const next = links[at < 0 ? (by > 0 ? 0 : links.length - 1) : Math.min(links.length - 1, Math.max(0, at + by))];
    next.focus();
    next.scrollIntoView({ block: "nearest" });
  }

  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    if (e.key === "Escape" && typing(e.target)) e.target.blur();
    if (typing(e.target) || document.querySelector("dialog[open]")) return;
    const target = Date.now() - prefix < 1500 && shortcuts[e.key];
    prefix = 0;
    if (target) location.assign(target);
    else if (e.key === "g") prefix = Date.now();
    else if (e.key === "j") step(1);
    else if (e.key === "k") step(-1);
    else if (e.key === "?") byId("help")?.showModal();
    else if (e.key === "/" && byId("find")) {
      e.preventDefault();
      byId("find").focus();
      byId("find").select();
    }
  });

  byId("keys")?.addEventListener("click", () => byId("help").showModal());

  // ---- Light and dark theme. The server reads the cookie, so that pages do not flash in the other theme.

  byId("theme")?.addEventListener("click", () => {
    const root = document.documentElement;
    const now = root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
    root.dataset.theme = now === "dark" ? "light" : "dark";
    document.cookie = `theme=${root.dataset.theme}; path=/; max-age=31536000; samesite=lax`;
  });

  const { live, after } = document.body.dataset;
  if (live) follow(live, after);
})();
