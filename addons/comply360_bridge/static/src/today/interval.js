import { onMounted, onWillUnmount } from "@odoo/owl";
import { browser } from "@web/core/browser/browser";

/**
 * Calls back every so many milliseconds while the component is mounted and its page is visible, and at once when the
 * page becomes visible again.
 */
export function useInterval(callback, milliseconds) {
    let timer;
    const tick = () => {
        if (document.visibilityState === "visible") {
            callback();
        }
    };
    onMounted(() => {
        timer = browser.setInterval(tick, milliseconds);
        document.addEventListener("visibilitychange", tick);
    });
    onWillUnmount(() => {
        browser.clearInterval(timer);
        document.removeEventListener("visibilitychange", tick);
    });
}
