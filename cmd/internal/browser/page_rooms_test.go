package browser

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// The address says what is on view: a link to it, a reload, Back and Forward lead there.
func TestPageAddress(t *testing.T) {
	path := needChromium(t)
	server := newRoomd(t)
	server.start()
	browser := newBrowser(t, path)
	percy := openWindow(t, browser, "percy", server.url()+"?room="+url.QueryEscape("百家樂 1"))
	percy.onView("百家樂 1")
	percy.join("vip")
	percy.onView("vip")
	address := func(room string) {
		t.Helper()
		percy.holds("the address says "+room, fmt.Sprintf(`new URLSearchParams(location.search).get("room") === %q`, room))
	}
	address("vip")
	percy.join("general")
	percy.onView("general")
	address("general")
	percy.run("go back", chromedp.NavigateBack())
	percy.onView("vip")
	percy.run("go back", chromedp.NavigateBack())
	percy.onView("百家樂 1")
	address("百家樂 1")
	percy.run("go forward", chromedp.NavigateForward())
	percy.onView("vip")
	percy.reload()
	percy.onView("vip")
	if n := percy.text(`String(document.querySelectorAll("[data-testid=room-tab]").length)`); n != "3" {
		t.Errorf("after the reload percy is in %s rooms, want 3", n)
	}
	percy.run("go forward", chromedp.NavigateForward())
	percy.onView("general")
	// A room that was left is entered again by going back to it.
	percy.run("go back", chromedp.NavigateBack())
	percy.onView("vip")
	percy.run("go forward", chromedp.NavigateForward())
	percy.onView("general")
	percy.leave("vip")
	percy.run("go back", chromedp.NavigateBack())
	percy.onView("vip")
	percy.until("vip is joined", `document.querySelector('[data-testid=room-tab][data-room=vip]')?.dataset.joined === "true"`)

	olga := openWindow(t, browser, "olga", server.url()+"#room=vip")
	olga.onView("vip")
	if olga.text(`location.hash`) != "" {
		t.Error("the room is still behind the #")
	}
	percy.sees("percy", "olga")
	percy.run("choose olga", chromedp.Click(`//*[@data-testid="person"][contains(., "olga")]`))
	percy.holds("the address says olga", `(new URLSearchParams(location.search).get("user") ?? "").startsWith("guest-")`)
	percy.run("go back", chromedp.NavigateBack())
	percy.onView("vip")
	percy.run("go forward", chromedp.NavigateForward())
	percy.until("the conversation is on view", `document.querySelector('[data-testid=chat]')?.dataset.kind === "private"`)
	percy.reload()
	percy.until("the conversation is on view", `document.querySelector('[data-testid=chat]')?.dataset.kind === "private"`)
}

const jwtKey = "a key of these tests, of thirty-two bytes or more"

// token is a JWT for uid that grants rooms.
func token(t *testing.T, key, uid string, rooms ...string) string {
	t.Helper()
	claims, err := json.Marshal(map[string]any{"sub": uid, "name": strings.ToUpper(uid), "rooms": rooms, "exp": time.Now().Add(time.Hour).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	signed := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"HS256","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(claims)
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(signed))
	return signed + "." + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// openTab opens the page and does not enter.
func openTab(t *testing.T, browser context.Context, name, url string) *window {
	t.Helper()
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	w := &window{t: t, name: name, ctx: ctx, complaints: &complaints{}}
	if err := chromedp.Do(ctx); err != nil { // the first context used is the tab's life, so it has no timeout
		t.Fatalf("open a tab: %v", err)
	}
	if err := chromedp.Listen(ctx, w.complaints.listen); err != nil {
		t.Fatalf("listen to the tab: %v", err)
	}
	w.run("open "+url, chromedp.Navigate(url))
	return w
}

// A token can be given first, also where guests may enter. Who may not enter the room in which one begins is told so, and
// which rooms there are instead: those that the token names and those that the server lists.
func TestPageToken(t *testing.T) {
	path := needChromium(t)
	server := newRoomd(t)
	server.args = []string{"--allow-guests"}
	server.env = []string{"ROOMD_JWT_KEY=" + jwtKey}
	server.start()
	browser := newBrowser(t, path)
	other := openTab(t, browser, "other", server.url())
	other.run("open with a token", chromedp.Navigate(server.url()+"?room=table-7#token="+token(t, jwtKey, "other", "table-*")))
	other.run("load that", chromedp.Reload()) // an address that differs behind the # alone is no new page
	other.connected()
	other.onView("table-7")
	if strings.Contains(other.text(`location.href`), "token") {
		t.Error("the token is still in the address")
	}

	alice := openTab(t, browser, "alice", server.url())
	alice.shoot("entry")
	alice.click(`[data-testid=entry-switch]`)
	alice.run("give a bad token", chromedp.SendKeys(id("token"), token(t, jwtKey+"!", "alice")), chromedp.Click(id("enter")))
	alice.until("it is refused", `document.querySelector("[data-testid=entry-error]").textContent.includes("did not accept")`)
	alice.shoot("token-refused")
	alice.run("give a good one", chromedp.Evaluate[chromedp.Void](`document.querySelector("[data-testid=token]").value = ""`), chromedp.SendKeys(id("token"), token(t, jwtKey, "alice", "vip", "table-*")), chromedp.Click(id("enter")))
	alice.connected()
	alice.until("it says that general is not for her", `document.querySelector("[data-testid=lobby]").textContent.includes("may not enter general")`)
	for _, room := range []string{"vip", "table-7"} {
		alice.until(room+" is offered", fmt.Sprintf(`document.querySelector('[data-testid=lobby-room][data-room=%q]')`, room))
	}
	if alice.is(`document.querySelector("[data-testid=room-tab], [data-testid=notice]")`) || alice.is(`location.search.includes("general")`) {
		t.Error("a room that may not be entered is still there")
	}
	alice.look("lobby", false, 1280)
	alice.look("lobby-dark", true, 1280)
	alice.look("lobby-phone", false, 360)
	alice.look("lobby-phone-dark", true, 360)
	alice.look("", false, 1280)
	if alice.is(`document.activeElement === document.body`) {
		t.Error("nothing has the focus")
	}
	alice.click(`[data-testid=lobby-room][data-room=table-7]`)
	alice.onView("table-7")
	alice.sees("ALICE", "OTHER")
	if alice.is(`document.activeElement === document.body`) {
		t.Error("nothing has the focus after a room was chosen")
	}
	alice.run("name a room that is not hers", chromedp.SendKeys(id("add-room"), "general"+kb.Enter))
	alice.until("a room that is refused later is told of", `document.querySelector("[data-testid=notice]")?.textContent.includes("may not enter general")`)
	alice.onView("table-7")
	alice.content(t)

	// Where no guests are admitted, the field for a token comes after the first try.
	server.kill()
	server.args = nil
	server.start()
	guest := openTab(t, browser, "guest", server.url())
	guest.run("try as a guest", chromedp.SendKeys(id("name"), "guest"), chromedp.Click(id("enter")))
	guest.until("a token is asked for", `document.getElementById("entry-intro").textContent.includes("not admitted") && !document.getElementById("entry-bearer").hidden`)
}

// Wherever one is, something has the focus; where no room is, the page says so; and the people are counted once.
func TestPageFocus(t *testing.T) {
	path := needChromium(t)
	server := newRoomd(t)
	server.start()
	browser := newBrowser(t, path)
	percy := openWindow(t, browser, "percy", server.url())
	olga := openWindow(t, browser, "olga", server.url())
	percy.sees("percy", "olga")
	focused := func(after string) {
		t.Helper()
		percy.holds("something has the focus after "+after, `document.activeElement !== document.body && document.activeElement.checkVisibility() && !document.activeElement.disabled`)
	}
	focused("entering")
	counts := `String([...document.querySelectorAll("#app *")].filter((e) => e.children.length === 0 && e.textContent.includes("2 people here") && e.checkVisibility({ visibilityProperty: true })).length)`
	for _, width := range []int64{1280, 360} {
		percy.look("", false, width)
		if n := percy.text(counts); n != "1" {
			t.Errorf("in a window of %d px the people are counted %s times", width, n)
		}
	}
	percy.look("", false, 1280)

	olga.join("vip")
	percy.join("vip")
	percy.onView("vip")
	focused("joining")
	percy.run("close a tab with the keyboard", chromedp.Focus(chromedp.CSS(`[data-testid=room-tab][data-room=vip]`)), chromedp.KeyEvent(kb.Delete))
	percy.onView("general")
	focused("closing a tab with the keyboard")
	percy.join("vip")
	percy.onView("vip")
	percy.click(`.tab-row:has([data-room=vip]) .tab-close`)
	percy.onView("general")
	focused("closing a tab with the mouse")

	percy.run("forget what was there", chromedp.Evaluate[chromedp.Void](`document.activeElement.blur()`))
	percy.click(`.tab-row:has([data-room=general]) .tab-close`)
	percy.until("it says that there is no room", `!document.querySelector("[data-testid=lobby]").hidden`)
	focused("leaving the last room")
	percy.until("general is offered", `document.querySelector("[data-testid=lobby-room][data-room=general]")`)
	percy.shoot("no-room")
	percy.reload()
	percy.until("there is no room after a reload either", `!document.querySelector("[data-testid=lobby]").hidden && document.querySelector("[data-testid=room-tab]") === null`)
	focused("a reload without a room")
	percy.look("", false, 360)
	percy.click(`#lobby-name`)
	percy.holds("one can write a room's name", `document.activeElement === document.querySelector("[data-testid=add-room]")`)
	percy.run("enter it", chromedp.SendKeys(id("add-room"), "general"+kb.Enter))
	percy.onView("general")
	focused("entering from a drawer")
	percy.look("", false, 1280)

	percy.click(`[data-testid=directory-room] button`)
	percy.onView("vip")
	focused("choosing from the list")
	percy.click(`[data-testid=room-tab][data-room=general]`)
	percy.onView("general")

	// What could not be sent is put away: the message goes, and its button with it.
	server.kill()
	percy.until("one can try at once, and does", `(() => {
		const [banner, button] = ["banner", "reconnect"].map((id) => document.querySelector("[data-testid=" + id + "]"));
		if (banner.hidden || button.hidden) return false; // it is trying, and the button comes back
		button.focus();
		button.click();
		return true;
	})()`)
	focused("trying at once")
	server.start()
	percy.connected()
	percy.until("the banner is gone", `document.querySelector("[data-testid=banner]").hidden`)
	focused("the banner went")
	percy.until("the list of people is there", `document.querySelector("[data-testid=person][aria-disabled=true]")`)
	remove(t, server, percy.text(`document.querySelector("[data-testid=person][aria-disabled=true]").dataset.uid`))
	percy.until("a notice tells", `document.querySelector("[data-testid=notice]")`)
	percy.click(`[data-testid=notice] button`)
	percy.until("it is gone", `document.querySelector("[data-testid=notice]") === null`)
	focused("a notice was closed")
	olga.content(t)
	percy.content(t)
}

// remove takes a user out of general, as an operator does.
func remove(t *testing.T, server *roomd, uid string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, server.url()+"api/rooms/general/members/"+uid, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := server.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Fatalf("taking %s out of the room is answered %s", uid, res.Status)
	}
}
