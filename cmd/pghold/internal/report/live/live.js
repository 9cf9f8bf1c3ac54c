// What this page does by itself: it takes the cards as the program draws them.
"use strict";

const cards = document.getElementById("cards");
const statusLine = document.getElementById("status");

if (cards) { // else the run has ended, and this is its report
  const source = new EventSource("events");
  let said = "";

  source.addEventListener("card", (event) => {
    const card = JSON.parse(event.data);
    let section = document.getElementById(card.id);
    if (!section) {
      section = document.createElement("section");
      section.id = card.id;
      cards.append(section);
    }
    section.innerHTML = card.html;
  });
  source.addEventListener("status", (event) => {
    said = JSON.parse(event.data);
    statusLine.textContent = said;
  });
  source.addEventListener("end", (event) => {
    source.close();
    document.body.innerHTML = JSON.parse(event.data);
  });
  source.addEventListener("open", () => { statusLine.textContent = said; });
  source.addEventListener("error", () => {
    statusLine.textContent = "The connection to pghold was lost; trying again. If the run has ended, pghold has said where it ran what became of it.";
  });
}
