//! A visitor walks through the site, without a server.

use wgi::testing::{Client, Response};

use super::*;
use shelf::Place;

fn client() -> Client<Bookshelf> {
    Client::new(Bookshelf { shelf: Shelf::at(Place::Memory).unwrap() }).follow_redirects()
}

fn links(response: &Response) -> Vec<String> {
    let text = response.text();
    text.split("href=\"").skip(1).filter_map(|rest| Some(rest.split('"').next()?.replace("&amp;", "&"))).collect()
}

#[test]
fn every_link_leads_somewhere_from_any_mount_point() {
    for (mount, home) in [("", "/"), ("/cgi-bin/book%20shelf", "/cgi-bin/book%20shelf")] {
        let client = client().mount(mount);
        let page = client.get(home).send();
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
        let links = links(&page);
        assert!(links.iter().filter(|link| link.contains("/book/")).count() >= 40);
        for link in links {
            let response = client.get(&link).send();
            assert_eq!(response.status, 200, "{link}");
            if link.contains("/book/") {
                for link in self::links(&response) {
                    assert_eq!(client.get(&link).send().status, 200, "{link}");
                }
            }
        }
    }
}

#[test]
fn a_book_has_a_page() {
    let client = client();
    let page = client.get("/search?author=lem").send();
    let link = links(&page).into_iter().find(|link| link.contains("/book/")).unwrap();
    let page = client.get(&link).send();
    let text = page.text();
    for part in ["<h1>Solaris</h1>", "Stanisław Lem", "1921–2006", "1961", "Polish"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert_eq!(client.head(&link).send().header("content-length"), Some(text.len().to_string().as_str()));
}

#[test]
fn what_is_not_there_is_not_found() {
    for path in [
        "/book/0",
        "/book/9999",
        "/book/-1",
        "/book/01",
        "/book/+1",
        "/book/x",
        "/book/",
        "/book/1/2",
        "/book",
        "/x",
        "//",
        "/%FF",
    ] {
        let response = client().get(path).send();
        assert_eq!(response.status, 404, "{path}");
        assert!(response.text().contains("href=\"/\""), "{path} leads back");
    }
    let response = client().get("/book/99999999999999999999999").send();
    assert_eq!(response.status, 404);
}

#[test]
fn the_last_search_is_remembered() {
    let client = client();
    assert!(!client.get("/").send().text().contains("Last time"));
    let found = client.get("/search?author=Garc%C3%ADa").send();
    assert_eq!(links(&found).iter().filter(|link| link.contains("/book/")).count(), 2);
    assert!(found.header("set-cookie").unwrap().contains("Path=/"), "{:?}", found.header("set-cookie"));

    let home = client.get("/").send();
    assert!(home.text().contains("Last time you looked for <a href=\"/search?author=Garc%C3%ADa\">García</a>"));
    assert!(home.text().contains("value=\"García\""));
    let next = client.get("/search?author=woolf").send();
    assert!(next.text().contains("Before that you looked for"), "{}", next.text());

    // To look for nothing forgets it.
    let home = client.get("/search?author=+").send();
    assert_eq!((home.target.as_str(), home.status), ("/", StatusCode::OK));
    assert!(!home.text().contains("Last time"));
    assert_eq!(client.cookie("author"), None);
}

#[test]
fn what_a_visitor_writes_is_escaped() {
    let client = client();
    let written = "%22%3E%3Cscript%3Ealert(1)%3C/script%3E%0D%0ASet-Cookie:%20x=1;%20y";
    let found = client.get(&format!("/search?author={written}")).send();
    assert_eq!(found.headers.get_all("set-cookie").count(), 1);
    assert!(found.text().contains("No author’s name has that in it."));
    for page in [found, client.get("/").send()] {
        assert!(!page.text().contains("<script") && page.text().contains("&lt;script"));
    }
    // A cookie that is not ours, or not text at all.
    for cookie in [&b"author=%3Cscript%3E; author"[..], b"author=\xff\xfe", b"=;;=;author=%FF%"] {
        let page = Client::new(Bookshelf { shelf: Shelf::at(Place::Memory).unwrap() })
            .get("/")
            .header("cookie", cookie)
            .send();
        assert_eq!(page.status, 200);
        assert!(!page.text().contains("<script"));
    }
    let long = client.get(&format!("/search?author={}", "é".repeat(5000))).send();
    assert!(long.header("set-cookie").unwrap().len() < 600);
}

#[test]
fn the_shelf_is_only_for_reading() {
    for (method, path) in [("POST", "/"), ("DELETE", "/book/1"), ("PUT", "/nowhere")] {
        let response = client().request(method, path).body("x").send();
        assert_eq!((response.status.as_u16(), response.header("allow")), (405, Some("GET, HEAD")), "{method} {path}");
    }
}
