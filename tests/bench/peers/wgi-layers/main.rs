//! What layers of middleware cost: one exchange with an application below 0 to 20 layers, each of which sets a header of
//! its own, without any server. Prints `LAYERS NANOSECONDS` for one round of each.

use std::hint::black_box;
use std::task::{Context, Waker};

use rustix::time::{ClockId, clock_gettime};
use wgi::header::CONTENT_TYPE;
use wgi::server::{Part, Reply, Transmit};
use wgi::{App, Body, EditHead, Environ, Error, Gateway, HeaderName, HeaderValue, StartResponse, StatusCode, Vars};

const LAYERS: [usize; 5] = [0, 1, 5, 10, 20];
const EXCHANGES: i64 = 20_000;

/// A layer as a stack of middleware is made of, without its type known: the call is not inlined.
struct Layer {
    inner: Box<dyn App>,
    name: HeaderName,
}

impl App for Layer {
    fn call(&self, environ: Environ, start_response: &mut dyn StartResponse) -> Result<Body, Error> {
        let mut edited = EditHead::new(start_response, |head| {
            head.headers.insert(self.name.clone(), HeaderValue::from_static("1"));
            Ok(())
        });
        self.inner.call(environ, &mut edited)
    }
}

/// Nothing is written before the call returns.
struct Nowhere;

impl Transmit for Nowhere {
    fn transmit(&mut self, _part: Part) -> Result<(), Error> {
        Ok(())
    }
}

fn main() {
    for layers in LAYERS {
        let mut app: Box<dyn App> = Box::new(hello);
        for layer in 0..layers {
            let name = HeaderName::from_bytes(format!("x-layer-{layer}").as_bytes()).expect("a valid name");
            app = Box::new(Layer { inner: app, name });
        }
        // The first of the two warms up.
        for warm in [false, true] {
            let start = cpu_time();
            for _ in 0..EXCHANGES {
                exchange(&*app);
            }
            if warm {
                println!("{layers} {}", (cpu_time() - start) / EXCHANGES);
            }
        }
    }
}

/// Nanoseconds of this thread's CPU time: what else the core does does not count.
fn cpu_time() -> i64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

fn hello(_environ: Environ, start_response: &mut dyn StartResponse) -> Result<Body, Error> {
    start_response.start(StatusCode::OK, [(CONTENT_TYPE, "text/plain")])?;
    Ok(Body::from("Hello, world!"))
}

fn exchange(app: &dyn App) {
    let mut reply = Reply::call(app, Environ::new(Vars::new(), Gateway::default()), &mut Nowhere);
    let mut context = Context::from_waker(Waker::noop());
    while !matches!(black_box(reply.poll_part(&mut context)), std::task::Poll::Ready(Part::End | Part::Cut)) {}
}
