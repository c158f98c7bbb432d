//! BioC in XML and in JSON.

use gramask_ner::corpus::{Corpus, Options, ReadError};
use gramask_ner::{Entity, Fragment};

use crate::support::{clean, read, stops, surfaces};

const XML: &str = r#"<?xml version='1.0' encoding='utf-8'?>
<!DOCTYPE collection SYSTEM "BioC.dtd">
<collection><source>own</source><key>k</key>
  <document><id>227508</id>
    <passage><infon key="type">title</infon><offset>0</offset><text>β-actin &amp; p &lt; 0.05</text>
      <annotation id="1"><infon key="identifier">60</infon><infon key="type">Gene</infon>
        <location offset="0" length="7"/><text>β-actin</text></annotation>
    </passage>
    <passage><infon key="type">abstract</infon><offset>20</offset>
      <text><![CDATA[Breast and ovarian cancer.]]></text>
      <annotation id="2"><infon key="type">Disease</infon>
        <location offset="20" length="6"></location><location offset="39" length="6"/><text>Breast cancer</text></annotation>
      <relation id="R1"><infon key="type">Association</infon><node refid="1" role=""/></relation>
    </passage>
  </document>
  <document><id>2</id>
    <passage><offset>5</offset>
      <sentence><offset>5</offset><text>One.</text></sentence>
      <sentence><offset>10</offset><text>Two.</text>
        <annotation id="1"><infon key="type">X</infon><location offset="10" length="3"/><text>Two</text></annotation></sentence>
    </passage>
  </document>
</collection>
"#;

const JSON: &str = r#"{"source":"own","documents":[
{"id":"227508","passages":[
 {"offset":0,"infons":{"type":"title"},"text":"β-actin & p < 0.05","annotations":[
  {"id":"1","infons":{"identifier":60,"type":"Gene"},"text":"β-actin","locations":[{"offset":0,"length":7}]}]},
 {"offset":20,"text":"Breast and ovarian cancer.","sentences":[],"annotations":[
  {"id":"2","infons":{"type":"Disease"},"text":"Breast cancer","locations":[{"offset":20,"length":6},{"offset":39,"length":6}]}],
  "relations":[{"id":"R1"}]}]},
{"id":2,"passages":[{"offset":5,"sentences":[{"offset":5,"text":"One."},
 {"offset":10,"text":"Two.","annotations":[{"infons":{"type":"X"},"text":"Two","locations":[{"offset":10,"length":3}]}]}]}]}]}"#;

#[test]
fn xml_and_json_say_the_same() {
    let xml = clean("own.xml", XML);
    let first = &xml.documents[0];
    assert_eq!((first.id.as_str(), first.text.as_str()), ("227508", "β-actin & p < 0.05\n Breast and ovarian cancer."));
    let cancer = Entity::discontinuous("Disease", vec![Fragment::new(20, 26), Fragment::new(39, 45)]);
    assert_eq!(first.entities, [Entity::new("Gene", 0, 7), cancer]);
    // A document may begin at an offset of its own.
    let second = &xml.documents[1];
    assert_eq!((second.text.as_str(), second.offset), ("One. Two.", 5));
    assert_eq!(surfaces(second), [("X", "Two".to_owned())]);
    let json = clean("own.json", JSON);
    assert_eq!(json, xml);
    // Documents one after the other, as a list, and as PubTator exports them.
    let documents =
        JSON.strip_prefix(r#"{"source":"own","documents":["#).and_then(|rest| rest.strip_suffix("]}")).unwrap();
    let lines = documents.replacen("\"R1\"}]}]},\n", "\"R1\"}]}]}\n", 1);
    assert_eq!(clean("own.json", &format!("[{documents}]")), xml);
    assert_eq!(clean("own.json", &lines), xml);
    assert_eq!(clean("own.json", &format!("{{\"PubTator3\":[{documents}]}}")), xml);
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let stops = |from: &str, to: &str| {
        assert!(XML.contains(from));
        stops("own.xml", &XML.replacen(from, to, 1))
    };
    assert!(
        stops("length=\"7\"", "length=\"6\"")
            .starts_with("own.xml:6: document 227508: the annotation says that 0..6 is")
    );
    assert!(stops("<infon key=\"type\">Gene</infon>", "").contains(
        "own.xml:6: document 227508: found an annotation without a label; expected an infon with the key \"type\""
    ));
    assert!(stops("<infon key=\"type\">Gene", "<infon key=\"type\">").contains("found an empty label"));
    assert!(
        stops("<offset>20", "<offset>10").contains(
            "own.xml:9: document 227508: found text at offset 10, inside the text before it, which ends at 18"
        )
    );
    assert!(stops("<offset>20", "<offset>200000000").contains("characters after the text before it"));
    assert!(stops("<offset>20", "<offset>x").contains("found the offset \"x\"; expected a whole number"));
    assert!(stops("<id>2</id>", "").contains("a document without an identifier"));
    assert!(
        stops("offset=\"10\" length=\"3\"", "offset=\"1\" length=\"3\"")
            .contains("a location before the first passage")
    );
}

#[test]
fn damaged_files_are_errors_even_where_problems_are_passed_over() {
    let error = |file: &str, content: &str| match read(file, content).unwrap_err() {
        ReadError::Problem(problem) => problem.to_string(),
        other => panic!("{other}"),
    };
    assert!(error("own.xml", &XML.replace("</collection>", "")).contains("the end of the file inside <collection>"));
    assert!(error("own.xml", &XML.replace("</id>", "</di>")).starts_with("own.xml:4: found malformed XML"));
    assert!(error("own.xml", &XML.replace("&amp;", "&nbsp;")).contains("own.xml:5: found the unknown entity &nbsp;"));
    assert!(error("own.xml", &XML.replace("length=\"7\"", "")).contains("a <location> without \"length\""));
    assert!(
        error("own.xml", &XML.replace("length=\"7\"", "length=\"-7\"")).contains("a <location> whose length is \"-7\"")
    );
    assert!(error("own.json", &JSON[..JSON.len() - 4]).contains("found no JSON at column"));
    let wrong = stops("own.json", &JSON.replace("\"offset\":20,", ""));
    assert!(
        wrong.starts_with("own.json:2: document 227508: found no BioC document (missing field `offset`"),
        "{wrong}"
    );
    let none = Corpus::read_str("own.json", r#"{"documents":[]}"#, &Options::default()).unwrap_err();
    assert!(none.to_string().contains("holds no document; expected at least one as BioC JSON"));
}
