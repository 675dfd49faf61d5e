"""A page that does what the engine's front end does, for machines where no page is named: it is no page of the user's.

A canvas that is drawn on each frame, an animation of the compositor's, and a list that gets a line each second.
"""

from __future__ import annotations

SAMPLE_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>sample page</title>
<style>
  body { margin: 2rem; font: 1rem system-ui, sans-serif; background: #0b0f0d; color: #b7e0c4 }
  @keyframes pulse { 50% { transform: scale(0.7) } }
  #pulse { width: 3rem; height: 3rem; background: #e8a13a; animation: pulse 1s infinite }
</style>
<div id="pulse"></div><canvas id="dots" width="480" height="120"></canvas><ul id="events"></ul>
<script>
  const dots = document.getElementById('dots').getContext('2d'), events = document.getElementById('events');
  function drawDots(now) {
    dots.clearRect(0, 0, 480, 120);
    for (let place = 0; place < 160; place++) {
      const level = 0.5 + 0.5 * Math.sin(now / 300 + place / 7);
      dots.fillStyle = `rgba(232, 161, 58, ${level})`;
      dots.fillRect(12 * (place % 40), 30 * Math.floor(place / 40), 8, 8);
    }
    requestAnimationFrame(drawDots);
  }
  requestAnimationFrame(drawDots);
  setInterval(function addEvent() {
    const line = document.createElement('li');
    line.textContent = `event at ${Math.round(performance.now())} ms`;
    events.append(line);
    if (events.children.length > 10) events.firstChild.remove();
  }, 1000);
</script></html>
"""
