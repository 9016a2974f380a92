//! The probe as a program: `cargo run --release --bin probe -- --http 127.0.0.1:8080`.

fn main() {
    wgi_host::run(wgi_conformance::probe::app())
}
