/** The page's style sheet. Colours are variables, so that dark mode and the map share them. */
export const PAGE_STYLE = `
:root{color-scheme:light dark;--paper:#fff;--ink:#1b1f24;--dim:#59636e;--edge:#d1d9e0;--accent:#0969da;
--u-rx:#2da44e;--u-rw:#54aeff;--u-r:#a5d6ff;--k-rx:#8250df;--k-rw:#c297ff;--k-r:#d8b9ff;--wx:#cf222e;
--closed:#fb8500;--glow:#e3b505;--hole:#f0f2f4}
@media(prefers-color-scheme:dark){:root{--paper:#0d1117;--ink:#f0f6fc;--dim:#9198a1;--edge:#3d444d;
--accent:#4493f8;--u-rx:#3fb950;--u-rw:#388bfd;--u-r:#1f4a80;--k-rx:#ab7df8;--k-rw:#7d4fd0;--k-r:#4c2f80;
--wx:#f85149;--closed:#ff9e2c;--glow:#f2cc60;--hole:#21262d}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:14px/1.4 system-ui,sans-serif}
main{max-width:1180px;margin:0 auto;padding:12px 16px}
h1{font-size:20px;margin:4px 0}h2{font-size:16px;margin:18px 0 6px}
p{margin:4px 0;color:var(--dim);overflow-wrap:anywhere}pre{overflow-x:auto}
code,pre,td,.mono,input,.list{font-family:ui-monospace,monospace;font-size:13px}
form{display:flex;gap:8px;flex-wrap:wrap;align-items:center}
input,button,select{font:inherit;color:inherit;background:var(--paper);border:1px solid var(--edge);
border-radius:4px;padding:4px 8px}
input[type=search]{width:22em;max-width:100%;font-family:ui-monospace,monospace}
:focus-visible{outline:2px solid var(--accent);outline-offset:1px}
canvas{width:100%;display:block;cursor:crosshair}
.strip h3{display:inline;font-size:14px;margin:0 8px 0 0}.strip>span{color:var(--dim);
font-family:ui-monospace,monospace;font-size:12px;overflow-wrap:anywhere}.strip button{margin-left:8px;padding:0 6px}
.strip{margin:8px 0}.map select{max-width:100%}
.legend{display:flex;gap:12px;flex-wrap:wrap;color:var(--dim);margin:4px 0}
.legend i{display:inline-block;width:12px;height:12px;margin-right:4px;vertical-align:-1px}
.list{height:264px;overflow-y:auto;border:1px solid var(--edge);border-radius:4px;position:relative}
.list [role=option]{position:absolute;left:0;right:0;height:22px;padding:1px 8px;white-space:pre;
overflow:hidden;text-overflow:ellipsis}
.list [aria-selected=true]{background:var(--accent);color:#fff}
.sides{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(560px,100%),1fr));gap:12px}
.sides>section{overflow-x:auto;border:1px solid var(--edge);border-radius:4px;padding:8px}
svg{max-width:100%;height:auto;display:block}
details{margin:4px 0}summary{cursor:pointer;font-family:ui-monospace,monospace;font-size:13px}
.glow{animation:glow 3s}@keyframes glow{from{background:var(--glow)}}
@media(prefers-reduced-motion:reduce){.glow{animation:none;outline:2px solid var(--glow)}}
.links button{margin:0 8px 4px 0;color:var(--accent)}
.high{color:var(--wx)}.low{color:var(--dim)}
`;
