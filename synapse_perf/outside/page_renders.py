"""Does a page render anew what is there already, while nobody does anything? Scripts that watch what it writes.

`RENDERS` runs before anything of the page, and stands where React's developer tools would: React tells them of each
commit, in production as well. It counts only while `WATCH_RENDERS` asks for it. A component was rendered for nothing
where no node below it is another one after its commit, and no effect was due in it or below it. Without React the
document itself tells: elements that were taken out and put in again alike, and values that were set to what they were.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

NAMES_SHOWN = 3

RENDERS = """
(() => {
  const COMPONENTS = new Set([0, 1, 2, 11, 15]), HOST = 5, RENDERED = 1, EFFECTS = 0x3ffe;
  const FORM = ['value', 'checked', 'selected'];
  let seen = null;

  const textOf = (one, name, space) => one.nodeType === 1 ? one.getAttributeNS(space, name) : one.data;
  const placeOf = (one) => {
    const tag = (one.tagName || one.nodeName).toLowerCase();
    return tag + (one.id ? '#' + one.id : [...(one.classList || [])].slice(0, 2).map((name) => '.' + name).join(''));
  };
  const elementsIn = (one) => one.nodeType === 1 ? 1 + one.getElementsByTagName('*').length : 0;
  const isAlike = (out, put) => out.length > 0 && out.length === put.length &&
    out.every((one, place) => one !== put[place] && one.isEqualNode(put[place]));

  // The nodes that are others than before these records: by a value of their own, or by their children.
  const account = (records) => {
    const written = new Map(), lists = new Map(), changed = new Set();
    for (const one of records) {
      if (one.type === 'childList') {
        const list = lists.get(one.target) || {out: [], put: []};
        lists.set(one.target, list);
        list.out.push(...one.removedNodes);
        list.put.push(...one.addedNodes);
        continue;
      }
      const values = written.get(one.target) || new Map(), key = one.attributeNamespace + ' ' + one.attributeName;
      written.set(one.target, values);
      if (!values.has(key)) values.set(key, [one.attributeName, one.attributeNamespace, one.oldValue]);
    }
    for (const [target, values] of written) {
      for (const [name, space, before] of values.values()) {
        if (textOf(target, name, space) === before) seen.rewritten++; else changed.add(target);
      }
    }
    for (const [target, {out, put}] of lists) {
      if (!isAlike(out, put)) { changed.add(target); continue; }
      const count = put.reduce((sum, one) => sum + elementsIn(one), 0);
      seen.rebuilt += count;
      if (count) seen.places[placeOf(target)] = (seen.places[placeOf(target)] || 0) + count;
    }
    return changed;
  };

  const isOtherInput = (one, before) =>
    FORM.some((name) => one.memoizedProps?.[name] !== before.memoizedProps?.[name]);

  // An element's only text is no node of React's own.
  const isOtherText = (one, changed) => !one.child && changed.has(one.stateNode.firstChild);

  // What React rendered, and which of it nothing came of: no effect is due in it or below it, and nothing is new there.
  // A component right below an element with other children counts as their cause.
  const rendered = (root, changed) => {
    const found = [];
    let count = 0;
    const acts = (one, within) => {
      const before = one.alternate, is_component = COMPONENTS.has(one.tag);
      const is_other = changed.has(one.stateNode) || (one.tag === HOST && isOtherText(one, changed));
      let due = !before || is_other || (is_component && (within || Boolean(one.flags & EFFECTS))) ||
        (one.tag === HOST && isOtherInput(one, before));
      if (!before || one.child !== before.child) {
        const inside = one.tag === HOST ? is_other : within;
        for (let child = one.child; child; child = child.sibling) due = acts(child, inside) || due;
      }
      if (is_component && one.flags & RENDERED) { count++; if (!due) found.push(one); }
      return due;
    };
    acts(root.current, changed.has(root.containerInfo));
    return {found, count};
  };

  const nameOf = ({type}) =>
    type?.displayName || type?.name || type?.render?.name || type?.type?.name || '(anonymous)';

  const onCommit = (root) => {
    if (!seen || root.containerInfo?.getRootNode?.() !== document) return;
    const {found, count} = rendered(root, account(seen.observer.takeRecords()));
    seen.commits++;
    seen.renders += count;
    seen.idle_renders += found.length;
    for (const one of found) seen.names[nameOf(one)] = (seen.names[nameOf(one)] || 0) + 1;
  };

  if (!window.__REACT_DEVTOOLS_GLOBAL_HOOK__) {
    const renderers = new Map();
    const hook = {
      supportsFiber: true, renderers,
      inject(renderer) { renderers.set(renderers.size + 1, renderer); return renderers.size; },
      onCommitFiberRoot(_, root) { try { onCommit(root); } catch (error) { if (seen) seen.failed++; } },
      onCommitFiberUnmount() {}, onPostCommitFiberRoot() {}, onScheduleFiberRoot() {},
    };
    Object.defineProperty(window, '__REACT_DEVTOOLS_GLOBAL_HOOK__', {value: hook, configurable: true, writable: true});
  }

  window.synapsePerfRenders = {
    begin() {
      seen = {commits: 0, renders: 0, idle_renders: 0, rebuilt: 0, rewritten: 0, failed: 0,
        names: {}, places: {}, begun: performance.now()};
      seen.observer = new MutationObserver(account);
      seen.observer.observe(document, {subtree: true, childList: true, attributes: true, characterData: true,
        attributeOldValue: true, characterDataOldValue: true});
    },
    end() {
      account(seen.observer.takeRecords());
      seen.observer.disconnect();
      const {observer, begun, ...told} = seen;
      seen = null;
      return {...told, seconds: (performance.now() - begun) / 1000};
    },
  };
})()
"""

WATCH_RENDERS = """
(duration_ms) => new Promise((resolve) => {
  if (!window.synapsePerfRenders) { resolve(null); return; }
  window.synapsePerfRenders.begin();
  setTimeout(() => resolve(window.synapsePerfRenders.end()), duration_ms);
})
"""


class Renders(NamedTuple):
    """Counts of the seconds in which nobody did anything; what came of nothing beside all of it."""

    seconds: float
    commits: int
    renders: int
    idle_renders: int
    components: str
    rebuilt: int
    rewritten: int
    rebuilt_in: str


def read_renders(told: Mapping[str, Any] | None) -> Renders | None:
    """None where nothing was watched, or a version of React told what cannot be read."""
    if told is None or told["failed"] or not told["seconds"]:
        return None
    return Renders(
        told["seconds"],
        told["commits"],
        told["renders"],
        told["idle_renders"],
        ", ".join(_most(told["names"])),
        told["rebuilt"],
        told["rewritten"],
        next(iter(_most(told["places"])), ""),
    )


def _most(counts: Mapping[str, int]) -> list[str]:
    """The names with the highest counts."""
    return [name[:60] for name in sorted(counts, key=lambda name: -counts[name])[:NAMES_SHOWN]]
