//! Which script a path is for.

use std::fs;

use wgi::Vars;
use wgi_backend::Scripts;

fn vars(path: &str) -> Vars {
    let mut vars = Vars::new();
    vars.push("SCRIPT_NAME", "/site");
    vars.push("PATH_INFO", path);
    vars
}

/// SCRIPT_NAME and PATH_INFO, or the status of the refusal.
fn split(scripts: &Scripts, path: &str) -> Result<(String, String), u16> {
    let mut vars = vars(path);
    scripts.set(&mut vars).map_err(|error| error.status().as_u16())?;
    let text = |name| String::from_utf8(vars.get(name).unwrap_or_default().to_vec()).unwrap();
    let root = text("DOCUMENT_ROOT");
    let script = text("SCRIPT_FILENAME").strip_prefix(&root).unwrap().to_owned();
    assert_eq!(text("SCRIPT_NAME"), format!("/site{script}"));
    let translated = if text("PATH_INFO").is_empty() { String::new() } else { root + &text("PATH_INFO") };
    assert_eq!(text("PATH_TRANSLATED"), translated);
    Ok((script, text("PATH_INFO")))
}

#[test]
fn a_path_is_split_behind_its_script() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("sub")).unwrap();
    for name in ["index.php", "a.php", "style.css", "upload.jpg", ".hidden.php", "sub/index.php"] {
        fs::write(folder.path().join(name), "").unwrap();
    }
    let both: &[(&str, &str, &str)] = &[
        ("", "/index.php", ""),
        ("/", "/index.php", ""),
        ("/a.php", "/a.php", ""),
        ("/a.php/b/../c", "/a.php", "/b/../c"),
        ("/a.php/b.php", "/a.php", "/b.php"),
        ("/sub/", "/sub/index.php", ""),
        ("/sub/index.php/x", "/sub/index.php", "/x"),
    ];
    let none = [
        "/nothing",
        "/style.css",
        "/sub",
        "/upload.jpg",
        "/.hidden.php",
        "/..//index.php",
        "/../a.php",
        "/sub/../a.php",
        "//a.php",
        "/back\\a.php",
        "/a.php\0.php",
    ];
    let local = Scripts::local(folder.path()).unwrap();
    let remote = Scripts::remote(folder.path()).unwrap();
    for (path, script, rest) in both {
        let expected = Ok((script.to_string(), rest.to_string()));
        assert_eq!(split(&local, path), expected, "{path}");
        assert_eq!(split(&remote, path), expected, "{path}");
    }
    for path in none {
        assert_eq!(split(&local, path), Err(404), "{path:?}");
        assert_eq!(split(&remote, path), Err(404), "{path:?}");
        let with_fallback = local.clone().fallback("index.php");
        assert_eq!(split(&with_fallback, path), Ok(("/index.php".into(), String::new())), "{path:?}");
    }
    // What is not there, only who is there can know.
    for path in ["/upload.jpg/x.php", "/nothing.php"] {
        assert_eq!(split(&local, path), Err(404), "{path}");
        assert!(split(&remote, path).is_ok(), "{path}");
    }
}

#[test]
fn names_can_be_others() {
    let remote = Scripts::remote("/srv/www").unwrap().suffix(".rb").index("main.rb");
    assert_eq!(split(&remote, "/"), Ok(("/main.rb".into(), String::new())));
    assert_eq!(split(&remote, "/a.php/b.rb/c"), Ok(("/a.php/b.rb".into(), "/c".into())));
    let mut vars = vars("/a.rb");
    remote.set(&mut vars).unwrap();
    assert_eq!(vars.get("SCRIPT_FILENAME"), Some(&b"/srv/www/a.rb"[..]));
}
