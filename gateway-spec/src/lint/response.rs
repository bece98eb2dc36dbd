//! Status and headers of a response.

use std::sync::Arc;

use http::{HeaderMap, Method, StatusCode, header};

use super::{Call, body, input, rules};
use crate::{Response, Status, is_hop_by_hop};

/// Checks the head, and has the body watched.
pub(super) fn watch(response: Response, call: Arc<Call>) -> Response {
    check_head(&call, response.status(), response.headers(), &|| None);
    if response.leads_elsewhere() {
        // It is another's response that is sent.
        call.over();
        return response;
    }
    let is_bodiless = is_bodiless(&call.method, response.status().code());
    let declared = declared_length(&call, response.headers()).filter(|_| !is_bodiless);
    let differs = declared.zip(response.body().len()).filter(|(declared, length)| declared != length);
    if let Some((declared, length)) = differs {
        call.report_body(
            rules::LENGTH_DIFFERS,
            format!("Content-Length is {declared}, and the body has {length} bytes"),
        );
    }
    let promise = body::Promise {
        // Once is enough.
        length: declared.filter(|_| differs.is_none()),
        is_typed: is_bodiless || response.headers().contains_key(header::CONTENT_TYPE),
        is_wanted: !is_bodiless,
    };
    response.map_body(|body| body::watch(body, call, promise))
}

/// Whether no body is sent, whatever the application gives.
fn is_bodiless(method: &Method, code: StatusCode) -> bool {
    method == Method::HEAD || matches!(code, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
}

/// Checks what start_response was given, and what middleware has made of it.
pub(super) fn check_head(call: &Call, status: &Status, headers: &HeaderMap, traceback: &dyn Fn() -> Option<String>) {
    let code = status.code();
    let report = |rule, subject: &str, seen: String| call.report_with(rule, subject, seen, traceback);
    if !(200..600).contains(&code.as_u16()) {
        report(rules::STATUS, "", format!("the status is {}", code.as_str()));
    }
    for (name, value) in headers {
        let name = name.as_str();
        if name == "status" {
            report(
                rules::STATUS_HEADER,
                "",
                format!("there is a header \"Status: {}\"", value.as_bytes().escape_ascii()),
            );
        }
        if name.ends_with(['-', '_']) {
            report(rules::HEADER_END, name, format!("there is a header {name:?}"));
        }
        if value.as_bytes().contains(&b'\t') {
            report(rules::HEADER, name, format!("the value of the header {name:?} has a tab: {value:?}"));
        }
    }
    for name in headers.keys().filter(|name| is_hop_by_hop(name)) {
        report(rules::HOP_BY_HOP, name.as_str(), format!("there is a header {:?}", name.as_str()));
    }
    let seen = |name| headers.get(&name).map(|value| format!("{} comes with {name}: {value:?}", code.as_str()));
    if matches!(code, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
        && let Some(seen) = seen(header::CONTENT_TYPE)
    {
        report(rules::TYPE_UNWANTED, "", seen);
    }
    if code == StatusCode::NO_CONTENT
        && let Some(seen) = seen(header::CONTENT_LENGTH)
    {
        report(rules::LENGTH_UNWANTED, "", seen);
    }
}

fn declared_length(call: &Call, headers: &HeaderMap) -> Option<u64> {
    let values: Vec<_> = headers.get_all(header::CONTENT_LENGTH).iter().collect();
    match values[..] {
        [] => None,
        [value] if input::number(value).is_some() => input::number(value),
        _ => {
            call.report_body(rules::LENGTH, format!("Content-Length is {values:?}"));
            None
        }
    }
}
