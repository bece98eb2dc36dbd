//! What PEP 3333 forbids and the compiler refuses.

#[test]
fn misuse_does_not_compile() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/well_formed.rs");
    cases.compile_fail("tests/ui/body_missing.rs");
    cases.compile_fail("tests/ui/future_not_send.rs");
    cases.compile_fail("tests/ui/response_without_start.rs");
    cases.compile_fail("tests/ui/started_twice.rs");
    cases.compile_fail("tests/ui/status_of_wrong_type.rs");
    cases.compile_fail("tests/ui/wrong_arity.rs");
}
