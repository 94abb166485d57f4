package web

import (
	"encoding/json"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"go.uber.org/goleak"

	"github.com/passoncomtw/baccarat-websocket-cluster/rooms/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func request(t *testing.T, method, target string, header http.Header) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, target, nil)
	for name, values := range header {
		r.Header[name] = values
	}
	w := httptest.NewRecorder()
	Handler(nil).ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, target string) string {
	t.Helper()
	res := request(t, http.MethodGet, target, nil)
	if res.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: status %d, want 200", target, res.StatusCode)
	}
	var b strings.Builder
	if err := res.Write(&b); err != nil {
		t.Fatalf("reading the answer to GET %s: %v", target, err)
	}
	return b.String()
}

func TestServesThePageAndItsFiles(t *testing.T) {
	for _, tc := range []struct{ target, contentType string }{
		{"/", "text/html; charset=utf-8"},
		{"/?utm=1", "text/html; charset=utf-8"},
		{"/assets/main.js", "text/javascript; charset=utf-8"},
		{"/assets/chat.js", "text/javascript; charset=utf-8"},
		{"/client.js", "text/javascript; charset=utf-8"},
		{"/assets/style.css", "text/css; charset=utf-8"},
		{"/assets/icon.svg", "image/svg+xml"},
	} {
		t.Run(tc.target, func(t *testing.T) {
			res := request(t, http.MethodGet, tc.target, nil)
			if res.StatusCode != http.StatusOK {
				t.Fatalf("status %d, want 200", res.StatusCode)
			}
			if got := res.Header.Get("Content-Type"); got != tc.contentType {
				t.Errorf("Content-Type %q, want %q", got, tc.contentType)
			}
			if got := res.Header.Get("Cache-Control"); got != "no-cache" {
				t.Errorf("Cache-Control %q, want no-cache", got)
			}
			if res.ContentLength <= 0 {
				t.Errorf("Content-Length %d, want the size of the file", res.ContentLength)
			}
		})
	}
}

// A page of another origin imports the client from here, and nothing else.
func TestTheClientIsForEveryOrigin(t *testing.T) {
	for target, open := range map[string]bool{"/client.js": true, "/": false, "/assets/main.js": false} {
		h := request(t, http.MethodGet, target, nil).Header
		if got := h.Get("Access-Control-Allow-Origin") == "*" && h.Get("Cross-Origin-Resource-Policy") == "cross-origin"; got != open {
			t.Errorf("%s: a page of another origin may load it: %t, want %t", target, got, open)
		}
	}
}

func TestAnswersNothingElse(t *testing.T) {
	for _, tc := range []struct {
		method, target string
		status         int
	}{
		{http.MethodGet, "/index.html", http.StatusNotFound},
		{http.MethodGet, "/assets", http.StatusNotFound},
		{http.MethodGet, "/assets/", http.StatusNotFound},
		{http.MethodGet, "/assets/index.html", http.StatusNotFound}, // one page, one address
		{http.MethodGet, "/assets/missing.js", http.StatusNotFound},
		{http.MethodGet, "/assets/../web.go", http.StatusNotFound},
		{http.MethodGet, "/assets/%2e%2e/web.go", http.StatusNotFound},
		{http.MethodPost, "/", http.StatusMethodNotAllowed},
		{http.MethodDelete, "/assets/main.js", http.StatusMethodNotAllowed},
		{http.MethodPost, "/nowhere", http.StatusNotFound},
	} {
		t.Run(tc.method+" "+tc.target, func(t *testing.T) {
			res := request(t, tc.method, tc.target, nil)
			if res.StatusCode != tc.status {
				t.Errorf("status %d, want %d", res.StatusCode, tc.status)
			}
			if tc.status == http.StatusMethodNotAllowed && res.Header.Get("Allow") != "GET, HEAD" {
				t.Errorf("Allow %q, want GET, HEAD", res.Header.Get("Allow"))
			}
			var told struct{ Error wire.ErrorInfo }
			if err := json.NewDecoder(res.Body).Decode(&told); err != nil || told.Error.Message == "" || told.Error.Retryable {
				t.Errorf("the error is no JSON as the contract has it: %v, %+v", err, told)
			}
			if want := map[int]wire.Code{http.StatusNotFound: "not_found", http.StatusMethodNotAllowed: "method_not_allowed"}[tc.status]; told.Error.Code != want {
				t.Errorf("code %q, want %q", told.Error.Code, want)
			}
			if res.Header.Get("Content-Security-Policy") == "" {
				t.Error("an error page without a Content-Security-Policy")
			}
		})
	}
}

func TestRevalidation(t *testing.T) {
	etag := request(t, http.MethodGet, "/", nil).Header.Get("ETag")
	if etag == "" || etag == request(t, http.MethodGet, "/assets/main.js", nil).Header.Get("ETag") {
		t.Fatalf("ETag of the page is %q, want one of its own", etag)
	}
	for _, tc := range []struct {
		name, header string
		status       int
	}{
		{"none", "", http.StatusOK},
		{"same", etag, http.StatusNotModified},
		{"weak, from a proxy", "W/" + etag, http.StatusNotModified},
		{"one of several", `"old", ` + etag, http.StatusNotModified},
		{"any", "*", http.StatusNotModified},
		{"of another build", `"old"`, http.StatusOK},
	} {
		t.Run(tc.name, func(t *testing.T) {
			res := request(t, http.MethodGet, "/", http.Header{"If-None-Match": {tc.header}})
			if res.StatusCode != tc.status {
				t.Errorf("status %d, want %d", res.StatusCode, tc.status)
			}
			if got := res.Header.Get("ETag"); got != etag {
				t.Errorf("ETag %q, want %q", got, etag)
			}
		})
	}
}

func TestHeadHasNoBody(t *testing.T) {
	r := httptest.NewRequest(http.MethodHead, "/", nil)
	w := httptest.NewRecorder()
	Handler(nil).ServeHTTP(w, r)
	if w.Code != http.StatusOK || w.Body.Len() != 0 {
		t.Errorf("HEAD /: status %d and %d bytes, want 200 and none", w.Code, w.Body.Len())
	}
	if got, want := w.Header().Get("Content-Length"), request(t, http.MethodGet, "/", nil).Header.Get("Content-Length"); got != want {
		t.Errorf("HEAD /: Content-Length %s, want that of GET, %s", got, want)
	}
}

func TestLoadNamesWhatIsWrong(t *testing.T) {
	for _, tc := range []struct {
		name  string
		files fstest.MapFS
		want  string
	}{
		{"no page", fstest.MapFS{"assets/main.js": {}}, "index.html is missing"},
		{"unknown type", fstest.MapFS{"assets/index.html": {}, "assets/x.wasm": {}}, `no content type for ".wasm"`},
		{"no assets", fstest.MapFS{}, "reading the embedded assets"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := load(tc.files, nil); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("load: %v, want an error with %q", err, tc.want)
			}
		})
	}
}

// What the policy forbids would only fail in a browser, so it is looked for here.
func TestTheFilesObeyThePolicy(t *testing.T) {
	forbidden := []struct {
		in, why string
		pattern *regexp.Regexp
	}{
		{".js", "user text must never become markup", regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|setHTML`)},
		{".js", "the policy forbids eval", regexp.MustCompile(`\beval\(|new Function\(|javascript:`)},
		{".html", "the policy forbids inline style and script", regexp.MustCompile(`(?i)<style|\sstyle=|\son\w+=|<script>`)},
		{".html", "every file is served from here", regexp.MustCompile(`(?i)(src|href)="(https?:)?//`)},
		{".css", "every file is served from here", regexp.MustCompile(`(?i)url\(["']?(https?:)?//|@import`)},
		{".js", "every module is served from here", regexp.MustCompile(`(?i)from\s+"(https?:)?//|import\(`)},
	}
	eachAsset(t, func(name, text string) {
		for _, f := range forbidden {
			if path.Ext(name) == f.in {
				if found := f.pattern.FindString(text); found != "" {
					t.Errorf("%s contains %q: %s", name, found, f.why)
				}
			}
		}
	})
}

// Every file that another one names is there: a missing module is a blank page.
func TestReferencesResolve(t *testing.T) {
	references := regexp.MustCompile(`from "\./([\w.-]+)"|(?:src|href)="/assets/([\w.-]+)"|url\("/assets/([\w.-]+)"\)`)
	used := map[string]bool{"index.html": true}
	eachAsset(t, func(name, text string) {
		for _, match := range references.FindAllStringSubmatch(text, -1) {
			target := match[1] + match[2] + match[3]
			used[target] = true
			if _, err := fs.Stat(embedded, "assets/"+target); err != nil {
				t.Errorf("%s refers to %s: %v", name, target, err)
			}
		}
	})
	eachAsset(t, func(name, _ string) {
		if !used[path.Base(name)] {
			t.Errorf("%s is used by no other file", name)
		}
	})
}

// Both languages have the same words, and every word that the page asks for by name exists.
func TestDictionary(t *testing.T) {
	words := map[string]bool{}
	for _, file := range []string{"i18n.js", "i18n-table.js"} {
		english, chinese := dictionaries(t, file)
		for word := range english {
			words[word] = true
			if !chinese[word] {
				t.Errorf("%s: %q is in the English dictionary only", file, word)
			}
		}
		for word := range chinese {
			if !english[word] {
				t.Errorf("%s: %q is in the Chinese dictionary only", file, word)
			}
		}
	}
	asked := regexp.MustCompile(`\bt\("([\w.]+)"|data-i18n(?:-\w+)?="([\w.]+)"|key: "([\w.]+)"`)
	eachAsset(t, func(name, text string) {
		for _, m := range asked.FindAllStringSubmatch(text, -1) {
			if word := m[1] + m[2] + m[3]; !words[word] {
				t.Errorf("%s asks for %q, which no dictionary has", name, word)
			}
		}
	})
}

// dictionaries are the words that a file has in the two languages.
func dictionaries(t *testing.T, file string) (english, chinese map[string]bool) {
	t.Helper()
	first, second, found := strings.Cut(body(t, "/assets/"+file), "const zh = {")
	if !found {
		t.Fatalf("%s has no second dictionary", file)
	}
	second, _, _ = strings.Cut(second, "\n};")
	words := func(text string) map[string]bool {
		set := map[string]bool{}
		for _, m := range regexp.MustCompile(`"([a-z]+[\w.]*)": ["{]`).FindAllStringSubmatch(text, -1) {
			set[m[1]] = true
		}
		return set
	}
	return words(first), words(second)
}

// The package comment promises these to browser tests.
func TestDocumentedTestIDsExist(t *testing.T) {
	var all strings.Builder
	eachAsset(t, func(_, text string) { all.WriteString(text) })
	promised := strings.Fields(`name avatar-option token entry-switch enter entry-error connection banner reconnect room-tab
		conversation-tab unread add-room add-room-join directory directory-room tables table-room to-table lobby lobby-room chat chat-title messages
		message picture link new-line pending outgoing retry discard history-loader reloaded latest typing composer send image-toggle image-url
		people person people-count people-find open-rooms open-people me signout notice
		table round clock table-note hand-player hand-banker card table-status gain spot total mine bet-problem chip stack staked
		bet-again bet-clear refill roads-text bead-plate big-road fair shoe verdict copy fair-earlier switch announcer`)
	for _, id := range promised {
		if !strings.Contains(all.String(), `data-testid="`+id+`"`) && !strings.Contains(all.String(), `testid: "`+id+`"`) {
			t.Errorf("nothing has data-testid %q any more", id)
		}
	}
}

func eachAsset(t *testing.T, visit func(name, text string)) {
	t.Helper()
	err := fs.WalkDir(embedded, "assets", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(embedded, name)
		visit(name, string(text))
		return err
	})
	if err != nil {
		t.Fatalf("reading the assets: %v", err)
	}
}
