// Shows what is new every other second: the page is asked for again, and its content takes the place of the old.
"use strict";
let shown = Date.now();
async function update() {
    if (!document.hidden) {
        try {
            const answer = await fetch(location.pathname, { cache: "no-store", signal: AbortSignal.timeout(5000) });
            if (!answer.ok) throw new Error(answer.status);
            const page = new DOMParser().parseFromString(await answer.text(), "text/html");
            document.querySelector("main").replaceWith(document.adoptNode(page.querySelector("main")));
            document.title = page.title;
            shown = Date.now();
        } catch {
            // The age below tells.
        }
    }
    const age = Math.round((Date.now() - shown) / 1000);
    document.body.classList.toggle("stale", age > 10);
    document.getElementById("age").textContent = age > 10 ? `No answer for ${age} s.` : "Updates by itself.";
    setTimeout(update, 2000);
}
setTimeout(update, 2000);
