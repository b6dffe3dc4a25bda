// The site's search runs in a worker, and Chromium refuses workers to pages that it reads from file://. There, this class
// runs the same script in a hidden frame, and passes the same messages.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super()
      const base = new URL(url, location.href)
      const frame = document.createElement("iframe")
      frame.hidden = true
      frame.srcdoc = "<!doctype html>"
      this.ready = new Promise((resolve, reject) => {
        frame.onload = () => {
          const inside = frame.contentWindow
          const load = address =>
            new Promise((done, failed) => {
              const script = inside.document.createElement("script")
              script.src = new URL(address, base)
              script.onload = done
              script.onerror = () => failed(new Error(`${script.src}: cannot be loaded`))
              inside.document.body.append(script)
            })
          // Copies, as between a page and its worker: an object of the other frame is not an instance of this one's classes.
          inside.postMessage = data => this.dispatchEvent(new MessageEvent("message", { data: structuredClone(data) }))
          inside.importScripts = (...addresses) =>
            addresses.reduce((before, address) => before.then(() => load(address)), Promise.resolve())
          inside.__index = window.__index
          load(base).then(() => resolve(inside), reject)
        }
      })
      document.body.append(frame)
    }

    postMessage(data) {
      this.ready.then(inside => inside.dispatchEvent(new MessageEvent("message", { data: inside.structuredClone(data) })))
    }
  }
}
