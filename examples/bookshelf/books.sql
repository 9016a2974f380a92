-- The books of the shelf. `shelf.rs` runs this once, on an empty database, in one transaction.

CREATE TABLE language (
  code TEXT PRIMARY KEY,            -- BCP 47
  name TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE author (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  sort TEXT NOT NULL,               -- the name as a catalogue has it
  born INTEGER,
  died INTEGER
) STRICT;

CREATE TABLE book (
  id INTEGER PRIMARY KEY,
  author INTEGER NOT NULL REFERENCES author,
  title TEXT NOT NULL,
  original TEXT,                    -- the title in its own language, where that isn't English
  language TEXT NOT NULL REFERENCES language,
  year INTEGER NOT NULL,            -- of the first edition as a book
  about TEXT NOT NULL
) STRICT;

CREATE INDEX book_author ON book (author);

INSERT INTO language VALUES
  ('cs', 'Czech'), ('de', 'German'), ('en', 'English'), ('es', 'Spanish'), ('fr', 'French'), ('it', 'Italian'),
  ('ja', 'Japanese'), ('pl', 'Polish'), ('ru', 'Russian'), ('sv', 'Swedish'), ('tr', 'Turkish');

INSERT INTO author VALUES
  (1, 'Chinua Achebe', 'Achebe, Chinua', 1930, 2013),
  (2, 'Jane Austen', 'Austen, Jane', 1775, 1817),
  (3, 'Jorge Luis Borges', 'Borges, Jorge Luis', 1899, 1986),
  (4, 'Charlotte Brontë', 'Brontë, Charlotte', 1816, 1855),
  (5, 'Emily Brontë', 'Brontë, Emily', 1818, 1848),
  (6, 'Mikhail Bulgakov', 'Bulgakov, Mikhail', 1891, 1940),
  (7, 'Italo Calvino', 'Calvino, Italo', 1923, 1985),
  (8, 'Karel Čapek', 'Čapek, Karel', 1890, 1938),
  (9, 'Lewis Carroll', 'Carroll, Lewis', 1832, 1898),
  (10, 'Miguel de Cervantes', 'Cervantes, Miguel de', 1547, 1616),
  (11, 'Charles Dickens', 'Dickens, Charles', 1812, 1870),
  (12, 'Fyodor Dostoevsky', 'Dostoevsky, Fyodor', 1821, 1881),
  (13, 'Umberto Eco', 'Eco, Umberto', 1932, 2016),
  (14, 'George Eliot', 'Eliot, George', 1819, 1880),
  (15, 'Gustave Flaubert', 'Flaubert, Gustave', 1821, 1880),
  (16, 'Gabriel García Márquez', 'García Márquez, Gabriel', 1927, 2014),
  (17, 'Tove Jansson', 'Jansson, Tove', 1914, 2001),
  (18, 'James Joyce', 'Joyce, James', 1882, 1941),
  (19, 'Franz Kafka', 'Kafka, Franz', 1883, 1924),
  (20, 'Ursula K. Le Guin', 'Le Guin, Ursula K.', 1929, 2018),
  (21, 'Stanisław Lem', 'Lem, Stanisław', 1921, 2006),
  (22, 'Primo Levi', 'Levi, Primo', 1919, 1987),
  (23, 'Thomas Mann', 'Mann, Thomas', 1875, 1955),
  (24, 'Herman Melville', 'Melville, Herman', 1819, 1891),
  (25, 'Toni Morrison', 'Morrison, Toni', 1931, 2019),
  (26, 'Murasaki Shikibu', 'Murasaki Shikibu', NULL, NULL),
  (27, 'Yōko Ogawa', 'Ogawa, Yōko', 1962, NULL),
  (28, 'Orhan Pamuk', 'Pamuk, Orhan', 1952, NULL),
  (29, 'Marcel Proust', 'Proust, Marcel', 1871, 1922),
  (30, 'Mary Shelley', 'Shelley, Mary', 1797, 1851),
  (31, 'Natsume Sōseki', 'Sōseki, Natsume', 1867, 1916),
  (32, 'Bram Stoker', 'Stoker, Bram', 1847, 1912),
  (33, 'Leo Tolstoy', 'Tolstoy, Leo', 1828, 1910),
  (34, 'Mark Twain', 'Twain, Mark', 1835, 1910),
  (35, 'Jules Verne', 'Verne, Jules', 1828, 1905),
  (36, 'Oscar Wilde', 'Wilde, Oscar', 1854, 1900),
  (37, 'Virginia Woolf', 'Woolf, Virginia', 1882, 1941);

INSERT INTO book (author, title, original, language, year, about) VALUES
  (1, 'Things Fall Apart', NULL, 'en', 1958, 'Okonkwo, a wrestler and a proud man of Umuofia, sees missionaries and a foreign government arrive, and his village stop being the world he mastered.'),
  (2, 'Pride and Prejudice', NULL, 'en', 1813, 'Elizabeth Bennet thinks she has seen through Mr Darcy at once. It takes a refused proposal and a long letter until both read each other rightly.'),
  (2, 'Emma', NULL, 'en', 1815, 'Handsome, clever and rich, Emma Woodhouse arranges the lives of everybody in Highbury, and is wrong about nearly all of them, herself first.'),
  (3, 'Fictions', 'Ficciones', 'es', 1944, 'An infinite library, a man who cannot forget, a garden of forking paths: short stories, each with enough in it for a novel that is left unwritten.'),
  (4, 'Jane Eyre', NULL, 'en', 1847, 'An orphan becomes a governess at Thornfield Hall, where the master is restless and somebody laughs behind a locked door.'),
  (5, 'Wuthering Heights', NULL, 'en', 1847, 'On the Yorkshire moors, what Catherine and Heathcliff were to each other ruins two families for a generation.'),
  (6, 'The Master and Margarita', 'Мастер и Маргарита', 'ru', 1967, 'The devil visits Moscow with a large black cat, while a writer in an asylum thinks of Pontius Pilate and Margarita learns to fly.'),
  (7, 'Invisible Cities', 'Le città invisibili', 'it', 1972, 'Marco Polo describes to Kublai Khan the cities of his empire, one more impossible than the other, and perhaps always the same one.'),
  (7, 'If on a Winter’s Night a Traveller', 'Se una notte d’inverno un viaggiatore', 'it', 1979, 'You begin a novel. It breaks off, and so does the next one; another reader is looking for the rest as well.'),
  (8, 'War with the Newts', 'Válka s mloky', 'cs', 1936, 'Friendly newts are found in the sea, put to work, armed and educated. It goes as one might have thought.'),
  (9, 'Alice’s Adventures in Wonderland', NULL, 'en', 1865, 'Alice follows a rabbit with a watch and meets a great many persons who are good at arguing.'),
  (10, 'Don Quixote', 'El ingenioso hidalgo don Quijote de la Mancha', 'es', 1605, 'A gentleman of La Mancha has read too many romances, and rides out to right the wrongs that are in them. Sancho Panza comes along on a donkey.'),
  (11, 'Bleak House', NULL, 'en', 1853, 'Jarndyce and Jarndyce has been before the court of Chancery for so long that no one alive knows what it means. London is full of fog.'),
  (11, 'Great Expectations', NULL, 'en', 1861, 'Pip helps a convict on the marshes, plays cards at Satis House, comes into money and is mistaken about who sent it.'),
  (12, 'Crime and Punishment', 'Преступление и наказание', 'ru', 1866, 'A student in Petersburg has an idea that permits him a murder. It doesn’t carry him any further than that.'),
  (12, 'The Brothers Karamazov', 'Братья Карамазовы', 'ru', 1880, 'Three brothers, perhaps four, and a father whom each of them had a reason to wish dead.'),
  (13, 'The Name of the Rose', 'Il nome della rosa', 'it', 1980, 'Monks die in an abbey in 1327. William of Baskerville follows the signs into a library that is built as a labyrinth.'),
  (14, 'Middlemarch', NULL, 'en', 1872, 'Dorothea Brooke marries for knowledge and Tertius Lydgate comes to reform medicine, in a town that has time to watch both of them.'),
  (15, 'Madame Bovary', 'Madame Bovary', 'fr', 1857, 'Emma, the wife of a country doctor, wants life to be as it is in novels, and buys what belongs to that on credit.'),
  (16, 'One Hundred Years of Solitude', 'Cien años de soledad', 'es', 1967, 'Seven generations of the Buendía family in Macondo, from the first ice to the last page of a parchment.'),
  (16, 'Love in the Time of Cholera', 'El amor en los tiempos del cólera', 'es', 1985, 'Florentino Ariza has waited for Fermina Daza for fifty-one years, nine months and four days.'),
  (17, 'The Summer Book', 'Sommarboken', 'sv', 1972, 'A girl and her grandmother spend the summer on a small island, and talk about everything but one thing.'),
  (18, 'Ulysses', NULL, 'en', 1922, 'The sixteenth of June 1904 in Dublin, with Leopold Bloom, Stephen Dedalus and, at the end, Molly.'),
  (19, 'The Metamorphosis', 'Die Verwandlung', 'de', 1915, 'Gregor Samsa wakes up as an enormous insect, and worries that he will miss his train.'),
  (19, 'The Trial', 'Der Process', 'de', 1925, 'Josef K. is arrested one morning without having done anything wrong. He may go to work all the same.'),
  (20, 'The Left Hand of Darkness', NULL, 'en', 1969, 'An envoy on a planet of winter, whose people are neither men nor women, has to cross the ice with the only one who believes him.'),
  (20, 'The Dispossessed', NULL, 'en', 1974, 'A physicist leaves the moon of the anarchists for the rich planet it broke away from. There are walls in both places.'),
  (21, 'Solaris', 'Solaris', 'pl', 1961, 'Scientists study an ocean that covers a planet. It has begun to study them, and sends visitors.'),
  (22, 'The Periodic Table', 'Il sistema periodico', 'it', 1975, 'A chemist tells his life in twenty-one elements, from argon to carbon.'),
  (23, 'Buddenbrooks', 'Buddenbrooks', 'de', 1901, 'Four generations of a merchant family in Lübeck: the business declines as the music improves.'),
  (23, 'The Magic Mountain', 'Der Zauberberg', 'de', 1924, 'Hans Castorp visits his cousin in a sanatorium in Davos for three weeks and stays for seven years.'),
  (24, 'Moby-Dick', NULL, 'en', 1851, 'Ishmael goes to sea with a captain who wants one whale, and tells everything that can be known about the others.'),
  (25, 'Beloved', NULL, 'en', 1987, 'Sethe has escaped from slavery to Ohio. The house at 124 Bluestone Road isn’t empty, and one day a young woman sits in front of it.'),
  (26, 'The Tale of Genji', 'Genji monogatari', 'ja', 1008, 'The loves and sorrows of an emperor’s son, told by a lady of the court a thousand years ago.'),
  (27, 'The Memory Police', 'Hisoyaka na kesshō', 'ja', 1994, 'On an island things disappear: ribbons, birds, roses. Those who still remember them are looked for.'),
  (28, 'My Name Is Red', 'Benim Adım Kırmızı', 'tr', 1998, 'Istanbul, 1591. A miniaturist is murdered; the corpse, a dog, a coin and the colour red give evidence.'),
  (29, 'Swann’s Way', 'Du côté de chez Swann', 'fr', 1913, 'A man lies awake and remembers, by a piece of cake in a cup of tea, the whole of Combray.'),
  (30, 'Frankenstein', NULL, 'en', 1818, 'A student makes a living being and runs away from it. It learns to read, and comes after him.'),
  (31, 'Kokoro', 'Kokoro', 'ja', 1914, 'A student befriends an older man whom he calls Sensei, and gets a very long letter from him.'),
  (32, 'Dracula', NULL, 'en', 1897, 'Diaries, letters and phonograph records of those who met a count from Transylvania that has bought a house in England.'),
  (33, 'War and Peace', 'Война и мир', 'ru', 1869, 'Pierre, Natasha, Prince Andrei and some five hundred others, before, during and after Napoleon’s march on Moscow.'),
  (33, 'Anna Karenina', 'Анна Каренина', 'ru', 1878, 'Anna leaves her husband for Vronsky and loses her place in the world; Levin mows with the peasants and looks for his.'),
  (34, 'Adventures of Huckleberry Finn', NULL, 'en', 1884, 'Huck and Jim go down the Mississippi on a raft, one running from his father, the other from being owned.'),
  (35, 'Twenty Thousand Leagues Under the Seas', 'Vingt mille lieues sous les mers', 'fr', 1870, 'Professor Aronnax hunts a sea monster and becomes the guest of its captain.'),
  (36, 'The Picture of Dorian Gray', NULL, 'en', 1891, 'Dorian stays young and the portrait in the attic doesn’t.'),
  (37, 'Mrs Dalloway', NULL, 'en', 1925, 'Clarissa Dalloway buys the flowers herself. By the end of that day in June her party has taken place.'),
  (37, 'To the Lighthouse', NULL, 'en', 1927, 'The Ramsays mean to sail to the lighthouse tomorrow, if the weather is fine. Ten years go by.'),
  (37, 'Orlando', NULL, 'en', 1928, 'A young nobleman at the court of Elizabeth the First becomes a woman, and a poet, and is thirty-six in 1928.');
