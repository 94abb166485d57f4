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

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/nats-io/nats.go"
)

// is evaluates a condition in the page.
func (w *window) is(expression string) bool {
	w.t.Helper()
	return w.text(`String(Boolean(`+expression+`))`) == "true"
}

// holds waits for a condition of which no change of the document tells, such as what a field holds or what has the focus.
func (w *window) holds(what, expression string) {
	w.t.Helper()
	eventually(w.t, w.name+": "+what, func() bool { return w.is(expression) })
}

// reload loads the page again, as F5 does.
func (w *window) reload() {
	w.t.Helper()
	w.run("reload", chromedp.Reload())
	w.connected()
}

// onView waits until a room is.
func (w *window) onView(room string) {
	w.t.Helper()
	w.until(room+" is on view", fmt.Sprintf(`document.querySelector('[data-testid=chat]')?.dataset.room === %q`, room))
}

// unread waits until a room's tab says so many.
func (w *window) unread(room string, n int) {
	w.t.Helper()
	w.until(fmt.Sprintf("%s has %d unread", room, n), fmt.Sprintf(`document.querySelector('[data-testid=room-tab][data-room=%q]')?.dataset.unread === "%d"`, room, n))
}

func (w *window) click(what string) {
	w.t.Helper()
	w.run("click "+what, chromedp.Click(chromedp.CSS(what)))
}

// fill puts count numbered messages into a room.
func fill(t *testing.T, server *roomd, room string, count int) {
	t.Helper()
	nc, err := nats.Connect("nats://" + server.natsAddr)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	for i := range count {
		if err := nc.Publish("room."+room+".event", fmt.Appendf(nil, `{"type":"new_message","payload":{"message":"number %d","from":"dealer"}}`, i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
}

// A link in a message is one: to the web only, in a tab that learns nothing of ours. The message says what it said before.
func TestPageLinks(t *testing.T) {
	path := chromium()
	if path == "" {
		t.Skip("no Chromium on this machine; .ci/run installs one")
	}
	stranger := newHost(t, "")
	server := newRoomd(t)
	server.args = []string{"--image-host", stranger.URL}
	server.start()
	browser := newBrowser(t, path)
	percy := openWindow(t, browser, "percy", server.url())
	olga := openWindow(t, browser, "olga", server.url())

	said := "see " + stranger.URL + "/page.png?a=1&b=(2). And (https://b.example/c), javascript:alert(1), ftp://d.example, http://%, https://百家樂.example/路。好"
	percy.say(said)
	olga.hears(said)
	want := []string{
		stranger.URL + "/page.png?a=1&b=(2)",
		"https://b.example/c",
		"https://百家樂.example/路",
	}
	got := olga.text(`[...document.querySelectorAll("[data-testid=messages] [data-testid=link]")].map((a) => a.textContent).join("\n")`)
	if got != strings.Join(want, "\n") {
		t.Errorf("the links are\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
	if !olga.is(`[...document.querySelectorAll("[data-testid=link]")].every((a) => /^https?:$/.test(a.protocol) && a.target === "_blank" && ["noopener", "noreferrer", "nofollow"].every((word) => a.relList.contains(word)))`) {
		t.Error("a link leads elsewhere, or tells where it was found")
	}
	// What comes from there is no picture.
	percy.sendPicture("and a picture", stranger.URL+"/page.png")
	for _, w := range []*window{percy, olga} {
		w.until("a card stands for the broken picture", fmt.Sprintf(`document.querySelector('[data-testid=messages] [data-testid=picture][data-broken]')?.textContent.includes(%q)`, host0(stranger.URL)))
		if w.is(`document.querySelector('[data-testid=messages] [data-testid=picture] img')`) {
			t.Errorf("%s: a broken picture is still there", w.name)
		}
		w.content(t)
	}
	olga.shoot("links")
	olga.look("links-phone-dark", true, 360)
	olga.look("links-dark", true, 1280)
	olga.look("links-phone", false, 360)

	olga.click(`[data-testid=messages] [data-testid=link]`)
	stranger.was(t, "/opener/unknown")
	if ref := stranger.refs["/page.png"]; ref != "" {
		t.Errorf("the click told the referrer %q", ref)
	}
}

// What is unread, the line above it, what one has begun to write, and what was under way are there again after a reload.
func TestPageRemembers(t *testing.T) {
	path := chromium()
	if path == "" {
		t.Skip("no Chromium on this machine; .ci/run installs one")
	}
	server := newRoomd(t)
	server.start()
	browser := newBrowser(t, path)
	percy := openWindow(t, browser, "percy", server.url())
	olga := openWindow(t, browser, "olga", server.url())
	olga.say("before")
	percy.hears("before")
	percy.run("begin to write", chromedp.SendKeys(id("composer"), "half a"))
	percy.join("vip")
	percy.onView("vip")
	percy.until("vip is joined", `document.querySelector('[data-testid=room-tab][data-room=vip]')?.dataset.joined === "true"`)
	percy.holds("vip has no draft", `document.querySelector("[data-testid=composer]").value === ""`)
	percy.run("begin to write elsewhere", chromedp.SendKeys(id("composer"), "another"))
	olga.say("one")
	olga.say("two")
	percy.unread("general", 2)

	percy.reload()
	percy.onView("vip")
	percy.unread("general", 2)
	percy.holds("the draft is there", `document.querySelector("[data-testid=composer]").value === "another"`)

	// What comes while the page is away is unread, too; and was written by nobody who is away.
	percy.run("go away", chromedp.Navigate("about:blank"))
	olga.say("three")
	inject(t, server, "vip", "in the other room")
	percy.run("come back", chromedp.Navigate(server.url()))
	percy.connected()
	percy.onView("vip")
	percy.unread("general", 3)
	percy.hears("in the other room")
	above := `document.querySelector("[data-testid=new-line]")?.nextElementSibling.textContent.includes(%q)`
	percy.until("a line says from where on it is new", fmt.Sprintf(above, "in the other room"))

	percy.click(`[data-testid=room-tab][data-room=general]`)
	percy.until("the line is above what is new", fmt.Sprintf(above, "one"))
	percy.unread("general", 0)
	percy.shoot("new-line")
	percy.holds("the first draft is there", `document.querySelector("[data-testid=composer]").value === "half a"`)
	percy.reload()
	percy.onView("general")
	percy.hears("three")
	percy.until("the line is still there", fmt.Sprintf(above, "one"))
	percy.unread("general", 0)
	percy.unread("vip", 0)

	privateUnread(t, percy, olga)

	// What was written while nobody answered goes out after a reload, once.
	server.kill()
	olga.until("the loss is shown", `document.querySelector('[data-testid=connection]')?.dataset.state === "reconnecting"`)
	olga.click(`[data-testid=room-tab][data-room=general]`)
	olga.say("written offline")
	olga.until("it waits", `document.querySelector('[data-testid=outgoing]')?.dataset.status === "pending"`)
	server.start()
	percy.run("connect at once", chromedp.Evaluate[chromedp.Void](`document.querySelector("[data-testid=reconnect]").click()`))
	olga.reload()
	olga.hears("written offline")
	percy.hears("written offline")
	if n := count(percy.texts(), "written offline"); n != 1 {
		t.Errorf("what was written offline is there %d times", n)
	}
}

func privateUnread(t *testing.T, percy, olga *window) {
	t.Helper()
	olga.run("choose percy", chromedp.Click(`//*[@data-testid="person"][contains(., "percy")]`))
	olga.say("between us")
	olga.hears("between us")
	one := `document.querySelector('[data-testid=conversation-tab]')?.dataset.unread === "1"`
	percy.until("the conversation is unread", one)
	percy.reload()
	percy.until("the conversation is still unread", one)
	percy.click(`[data-testid=conversation-tab]`)
	percy.hears("between us")
	percy.until("the line is above it", `document.querySelector("[data-testid=new-line]")?.nextElementSibling.textContent.includes("between us")`)
	percy.reload()
	percy.until("the conversation is on view", `document.querySelector('[data-testid=chat]')?.dataset.kind === "private"`)
	percy.hears("between us")
	percy.until("it was read", `document.querySelector('[data-testid=conversation-tab]')?.dataset.unread === "0"`)
	percy.click(`[data-testid=room-tab][data-room=general]`)
	percy.onView("general")
}

// At the top there is more until there is no more, and a high window is filled.
func TestPageHistory(t *testing.T) {
	path := chromium()
	if path == "" {
		t.Skip("no Chromium on this machine; .ci/run installs one")
	}
	server := newRoomd(t)
	server.start()
	fill(t, server, "general", 260)
	browser := newBrowser(t, path)
	percy := openWindow(t, browser, "percy", server.url())
	percy.hears("number 259")
	percy.run("make the window high", chromedp.EmulateViewport(1280, 3000))
	percy.until("the window is full", `(() => { const view = document.getElementById("log-scroll"); return view.scrollHeight > view.clientHeight + 300; })()`)
	percy.run("make the window low", chromedp.EmulateViewport(1280, 800))
	percy.holds("the newest message is in view", `(() => { const view = document.getElementById("log-scroll"); return view.scrollHeight - view.scrollTop - view.clientHeight < 60; })()`)
	percy.run("focus the messages", chromedp.Focus(chromedp.CSS("#log-scroll")))
	begin := `!document.getElementById("log-begin").hidden`
	for range 30 {
		if percy.is(begin) {
			break
		}
		// Each jump to the top brings more, without another touch.
		oldest := percy.text(`document.querySelector("[data-testid=message]").dataset.seq`)
		percy.run("jump to the top", chromedp.Evaluate[chromedp.Void](`document.getElementById("log-scroll").scrollTop = 0`))
		percy.holds("earlier messages are there, above what was in view", fmt.Sprintf(`%s || Number(document.querySelector("[data-testid=message]").dataset.seq) < %s && document.getElementById("log-scroll").scrollTop > 0`, begin, oldest))
	}
	if !percy.is(begin) || !percy.is(`document.querySelector("[data-testid=message]").textContent.includes("number 0")`) {
		t.Errorf("the oldest message is %q", percy.text(`document.querySelector("[data-testid=message]").textContent`))
	}
	if percy.is(`document.activeElement === document.body`) {
		t.Error("the focus fell to the page when there was no more")
	}
}

// What is too long is not cut off in silence.
func TestPageTooLong(t *testing.T) {
	path := chromium()
	if path == "" {
		t.Skip("no Chromium on this machine; .ci/run installs one")
	}
	server := newRoomd(t)
	server.start()
	percy := openWindow(t, newBrowser(t, path), "percy", server.url())
	percy.run("focus the composer", chromedp.Focus(id("composer")))
	ctx, cancel := context.WithTimeout(percy.ctx, stepTimeout)
	defer cancel()
	if _, err := chromedp.Call(ctx, input.InsertText, input.InsertTextParams{Text: strings.Repeat("long ", 900)}); err != nil {
		t.Fatal(err)
	}
	percy.holds("it says how long it is", `document.getElementById("composer-problem").textContent.includes("4,499") && document.getElementById("composer-problem").textContent.includes("4,000")`)
	percy.shoot("too-long")
	percy.run("try to send it", chromedp.SendKeys(id("composer"), kb.Enter))
	percy.holds("it is all there", `document.querySelector("[data-testid=composer]").value.trim().length === 4499`)
	if percy.is(`document.querySelector("[data-testid=outgoing], [data-testid=message]")`) {
		t.Error("what is too long was sent")
	}
	percy.run("shorten it", chromedp.Evaluate[chromedp.Void](`(() => { const field = document.querySelector("[data-testid=composer]"); field.setSelectionRange(20, field.value.length); })()`), chromedp.SendKeys(id("composer"), kb.Delete))
	percy.holds("nothing is wrong any more", `document.getElementById("composer-problem").textContent === ""`)
	percy.run("send it", chromedp.SendKeys(id("composer"), kb.Enter))
	percy.hears("long long long long")

	percy.run("name a room too long", chromedp.SendKeys(id("add-room"), strings.Repeat("r", 65)+kb.Enter))
	percy.holds("it says so", `document.getElementById("add-room-problem").textContent.includes("64")`)
	if got := percy.text(`document.querySelector("[data-testid=add-room]").value`); got != strings.Repeat("r", 65) {
		t.Errorf("the name was cut to %q", got)
	}
}

// The address says what is on view: a link to it, a reload, Back and Forward lead there.
func TestPageAddress(t *testing.T) {
	path := chromium()
	if path == "" {
		t.Skip("no Chromium on this machine; .ci/run installs one")
	}
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
	path := chromium()
	if path == "" {
		t.Skip("no Chromium on this machine; .ci/run installs one")
	}
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
	path := chromium()
	if path == "" {
		t.Skip("no Chromium on this machine; .ci/run installs one")
	}
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
	percy.until("the loss is shown", `!document.querySelector("[data-testid=banner]").hidden && !document.querySelector("[data-testid=reconnect]").hidden`)
	percy.click(`[data-testid=reconnect]`)
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

// The whole page in the other language, and in a narrow window; looked at with TEST_SHOTS.
func TestPageInChinese(t *testing.T) {
	path := chromium()
	if path == "" {
		t.Skip("no Chromium on this machine; .ci/run installs one")
	}
	server := newRoomd(t)
	server.start()
	browser := newBrowser(t, path, chromedp.Flag("accept-lang", "zh-TW"), chromedp.Flag("lang", "zh-TW"))
	entry := openTab(t, browser, "zh", server.url())
	entry.shoot("entry")
	percy := openWindow(t, browser, "珮西", server.url()+"?room="+url.QueryEscape("百家樂 1"))
	if lang := percy.text(`document.documentElement.lang`); lang != "zh-Hant" {
		t.Errorf("the page is in %q", lang)
	}
	percy.say("看這裡 https://example.com/路，好嗎？")
	percy.hears("看這裡 https://example.com/路，好嗎？")
	for _, message := range []string{"莊家補牌", "開牌"} {
		inject(t, server, "百家樂=201", message)
		percy.hears(message)
	}
	percy.shoot("wide")
	percy.look("dark", true, 1280)
	percy.look("phone", false, 360)
	percy.look("phone-dark", true, 360)
	for _, width := range []int64{1280, 360} {
		percy.look("", false, width)
		percy.holds(fmt.Sprintf("the page is not wider than its %d px", width), `document.documentElement.scrollWidth <= innerWidth`)
	}
	percy.content(t)
}
