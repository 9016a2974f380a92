//! The shelf: the books in an SQLite database, which is made on first use.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use std::{env, fmt, fs, io};

use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

const BOOKS: &str = include_str!("books.sql");

/// The version of what `books.sql` makes; it stands in the database as its `user_version`.
const VERSION: i64 = 1;

const SELECT: &str = "
    SELECT book.id, title, original, language.code, language.name, year, about,
           author.id, author.name, author.born, author.died
    FROM book JOIN author ON author.id = book.author JOIN language ON language.code = book.language";

/// A book as it stands on the shelf.
pub(crate) struct Book {
    pub(crate) id: i64,
    pub(crate) title: String,
    /// The title in its own language, where that isn't English.
    pub(crate) original: Option<String>,
    pub(crate) language: Language,
    pub(crate) year: i64,
    pub(crate) about: String,
    pub(crate) author: Author,
}

pub(crate) struct Language {
    /// As in the `lang` of HTML.
    pub(crate) code: String,
    pub(crate) name: String,
}

pub(crate) struct Author {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) born: Option<i64>,
    pub(crate) died: Option<i64>,
}

/// The database. It may be asked from several threads at a time: each takes a connection of its own.
pub(crate) struct Shelf {
    place: Place,
    idle: Mutex<Vec<Connection>>,
}

/// Where the database is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Place {
    File(PathBuf),
    /// Nowhere: each connection has all the books to itself, and forgets them.
    Memory,
}

/// Why there is no shelf.
#[derive(Debug)]
pub(crate) enum Problem {
    Folder(PathBuf, io::Error),
    Database(Place, rusqlite::Error),
    /// The file is a database, but another one.
    Foreign(Place),
}

impl Shelf {
    /// Opens the shelf where it belongs: in the file that `BOOKSHELF_DB` names. Without that, in the user's folder for
    /// data; and where none can be written, as in a `cgi-bin`, in memory.
    pub(crate) fn open() -> Result<Shelf, Problem> {
        if let Some(path) = env::var_os("BOOKSHELF_DB").filter(|path| !path.is_empty()) {
            return Shelf::at(Place::File(path.into()));
        }
        let in_home = || Some(PathBuf::from(env::var_os("HOME")?).join(".local/share"));
        // The XDG specification has relative paths ignored.
        let data = env::var_os("XDG_DATA_HOME").map(PathBuf::from).filter(|path| path.is_absolute()).or_else(in_home);
        match data.map(|data| Shelf::at(Place::File(data.join("bookshelf/books.sqlite3")))) {
            Some(Ok(shelf)) => Ok(shelf),
            _ => Shelf::at(Place::Memory),
        }
    }

    /// Opens the shelf at a place of one's own, and fills it if it is new.
    pub(crate) fn at(place: Place) -> Result<Shelf, Problem> {
        if let Place::File(path) = &place
            && let Some(folder) = path.parent()
        {
            fs::create_dir_all(folder).map_err(|error| Problem::Folder(folder.to_owned(), error))?;
        }
        match connect(&place) {
            Ok(Some(connection)) => Ok(Shelf { place, idle: Mutex::new(vec![connection]) }),
            Ok(None) => Err(Problem::Foreign(place)),
            Err(error) => Err(Problem::Database(place, error)),
        }
    }

    /// All books, by author and year.
    pub(crate) fn all(&self) -> rusqlite::Result<Vec<Book>> {
        self.with(|connection| {
            let mut query = connection.prepare_cached(&format!("{SELECT} ORDER BY fold(author.sort), year"))?;
            query.query_map([], book)?.collect()
        })
    }

    /// The books of authors whose name has `text` in it, whatever its case and accents.
    pub(crate) fn by_author(&self, text: &str) -> rusqlite::Result<Vec<Book>> {
        self.with(|connection| {
            let found = "instr(fold(author.name), ?1) OR instr(fold(author.sort), ?1)";
            let mut query =
                connection.prepare_cached(&format!("{SELECT} WHERE {found} ORDER BY fold(author.sort), year"))?;
            query.query_map([fold(text.trim())], book)?.collect()
        })
    }

    /// One book, if there is one of that number.
    pub(crate) fn book(&self, id: i64) -> rusqlite::Result<Option<Book>> {
        self.with(|connection| {
            connection.prepare_cached(&format!("{SELECT} WHERE book.id = ?1"))?.query_row([id], book).optional()
        })
    }

    /// The other books of a book's author, by year.
    pub(crate) fn beside(&self, of: &Book) -> rusqlite::Result<Vec<Book>> {
        self.with(|connection| {
            let others = "author.id = ?1 AND book.id <> ?2";
            let mut query = connection.prepare_cached(&format!("{SELECT} WHERE {others} ORDER BY year"))?;
            query.query_map(params![of.author.id, of.id], book)?.collect()
        })
    }

    /// The names of all authors.
    pub(crate) fn authors(&self) -> rusqlite::Result<Vec<String>> {
        self.with(|connection| {
            let mut query = connection.prepare_cached("SELECT name FROM author ORDER BY fold(sort)")?;
            query.query_map([], |row| row.get(0))?.collect()
        })
    }

    /// Lends a connection: one that is idle, or a new one.
    fn with<T>(&self, ask: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = idle().pop();
        let connection = match taken {
            Some(connection) => connection,
            // It was the right database when it was opened first.
            None => connect(&self.place)?.ok_or(rusqlite::Error::InvalidQuery)?,
        };
        let answer = ask(&connection);
        idle().push(connection);
        answer
    }
}

/// Connects, and fills a database that is new. `None` when it is somebody else's.
fn connect(place: &Place) -> rusqlite::Result<Option<Connection>> {
    let mut connection = match place {
        Place::File(path) => Connection::open(path)?,
        Place::Memory => Connection::open_in_memory()?,
    };
    // How long one process waits for another that is filling the same file.
    connection.busy_timeout(Duration::from_secs(10))?;
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("fold", 1, flags, |context| Ok(fold(context.get_raw(0).as_str()?)))?;
    if version(&connection)? == VERSION {
        return Ok(Some(connection));
    }
    // Of several that start at once, one fills; the others wait here and find it done.
    let transaction = Transaction::new(&mut connection, TransactionBehavior::Immediate)?;
    if version(&transaction)? != VERSION {
        let tables: i64 = transaction.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
        if tables > 0 {
            return Ok(None);
        }
        transaction.execute_batch(BOOKS)?;
        transaction.pragma_update(None, "user_version", VERSION)?;
    }
    transaction.commit()?;
    Ok(Some(connection))
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn book(row: &Row<'_>) -> rusqlite::Result<Book> {
    Ok(Book {
        id: row.get(0)?,
        title: row.get(1)?,
        original: row.get(2)?,
        language: Language { code: row.get(3)?, name: row.get(4)? },
        year: row.get(5)?,
        about: row.get(6)?,
        author: Author { id: row.get(7)?, name: row.get(8)?, born: row.get(9)?, died: row.get(10)? },
    })
}

/// A text without case and accents, so that `garcia` finds García.
fn fold(text: &str) -> String {
    let folded = text.nfd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase);
    // The only letter here that doesn't come apart into a plain one and a mark.
    folded.map(|c| if c == 'ł' { 'l' } else { c }).collect()
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::File(path) => Path::display(path).fmt(f),
            Place::Memory => f.write_str("a database in memory"),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Folder(folder, error) => write!(f, "cannot make the folder {}: {error}", folder.display()),
            Problem::Database(place, error) => write!(f, "cannot open {place}: {error}"),
            Problem::Foreign(place) => {
                write!(f, "{place} holds something else than this version's books; set BOOKSHELF_DB to another path")
            }
        }
    }
}

impl std::error::Error for Problem {}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn authors(books: &[Book]) -> Vec<&str> {
        books.iter().map(|book| book.author.name.as_str()).collect()
    }

    #[test]
    fn authors_are_found_without_case_and_accents() {
        let shelf = Shelf::at(Place::Memory).unwrap();
        assert_eq!(authors(&shelf.by_author("garcia").unwrap()), ["Gabriel García Márquez"; 2]);
        assert_eq!(authors(&shelf.by_author("  BRONTE ").unwrap()), ["Charlotte Brontë", "Emily Brontë"]);
        assert_eq!(authors(&shelf.by_author("Brontë, E").unwrap()), ["Emily Brontë"]);
        assert_eq!(authors(&shelf.by_author("stanislaw").unwrap()), ["Stanisław Lem"]);
        assert_eq!(authors(&shelf.by_author("Čapek").unwrap()), ["Karel Čapek"]);
        for nobody in ["nobody", "%", "_", "' OR 1=1 --", "\0"] {
            assert!(shelf.by_author(nobody).unwrap().is_empty(), "{nobody}");
        }
    }

    #[test]
    fn books_stand_by_author_and_year() {
        let shelf = Shelf::at(Place::Memory).unwrap();
        let books = shelf.all().unwrap();
        assert!(books.len() >= 40);
        assert_eq!(books.first().unwrap().title, "Things Fall Apart");
        let woolf: Vec<_> = books.iter().rev().take(3).map(|book| book.title.as_str()).collect();
        assert_eq!(woolf, ["Orlando", "To the Lighthouse", "Mrs Dalloway"]);
        let beside = shelf.beside(books.last().unwrap()).unwrap();
        assert_eq!(beside.iter().map(|book| book.year).collect::<Vec<_>>(), [1925, 1927]);
        assert!(shelf.book(0).unwrap().is_none());
        assert_eq!(shelf.authors().unwrap().len(), 37);
        assert!(books.iter().all(|book| book.language.code != "en" || book.original.is_none()));
    }

    #[test]
    fn many_may_start_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/folder/books.sqlite3");
        let counts: Vec<_> = thread::scope(|scope| {
            let open = || Shelf::at(Place::File(path.clone())).unwrap().all().unwrap().len();
            let starts: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        });
        assert!(counts.iter().all(|count| *count == counts[0] && *count > 0), "{counts:?}");
    }

    #[test]
    fn the_shelf_is_asked_from_many_threads() {
        let folder = tempfile::tempdir().unwrap();
        for place in [Place::Memory, Place::File(folder.path().join("books.sqlite3"))] {
            let shelf = Shelf::at(place).unwrap();
            thread::scope(|scope| {
                for id in 1..=8 {
                    let shelf = &shelf;
                    scope.spawn(move || assert_eq!(shelf.book(id).unwrap().unwrap().id, id));
                }
            });
        }
    }

    #[test]
    fn what_is_there_already_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("theirs.sqlite3");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
        assert!(matches!(Shelf::at(Place::File(path.clone())), Err(Problem::Foreign(_))));
        fs::write(
            &path,
            "no database at all, but longer than the header of one is, which has a hundred bytes and more",
        )
        .unwrap();
        assert!(matches!(Shelf::at(Place::File(path)), Err(Problem::Database(..))));
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(matches!(Shelf::at(Place::File(file.join("x/y"))), Err(Problem::Folder(..))));
    }
}
