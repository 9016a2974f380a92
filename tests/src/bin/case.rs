//! Hosts the application of one case of the suite: that which the variable `WGI_CASE` names, with its journal in the
//! file that `WGI_JOURNAL` names. How it is hosted is decided as for every program of wgi; the suite starts it as CGI.

use std::process::ExitCode;

use wgi_conformance::rungs::process::hosted_case;

fn main() -> ExitCode {
    match hosted_case() {
        Ok((case, journal)) => wgi_cgi::run(case.host(&journal)),
        Err(error) => {
            eprintln!("case: {error}");
            ExitCode::FAILURE
        }
    }
}
