"""Common names in the United States, the most frequent first, and its states, for `penstock.local.demo.donors`.

The order is only roughly that of the Census Bureau's and the Social Security Administration's
published counts, which is all that test data needs: `penstock.local.demo.donors` turns a name's place in
its list into a weight. Changing, adding or reordering a name changes the bytes that every seed
gives, and the checksum in the tests says so.
"""

from typing import Final


def _words(text: str) -> list[str]:
    return text.split()


MALE: Final = _words("""
Michael James John David Robert William Christopher Joseph Matthew Daniel Jason Brian Richard Anthony Joshua Thomas
Kevin Steven Mark Timothy Andrew Eric Jeffrey Charles Ryan Kenneth Justin Scott Jonathan Nicholas Brandon Paul
Gregory Jacob Tyler Benjamin Adam Stephen Patrick Aaron Edward Samuel Nathan Jose Kyle Zachary Sean Jeremy Alexander
Ronald Dustin Travis Chad Bradley Peter Jared Shawn Derek Cody Keith Jesse Donald Jordan Shane Juan Carlos Phillip
Joel Corey Marcus Bryan Gary Austin George Ethan Todd Luis Antonio Craig Raymond Victor Ian Douglas Erik Dennis
Larry Christian Jeffery Terry Brett Evan Alex Vincent Randy Mario Gabriel Miguel Trevor Lucas Cory Jeremiah Casey
Blake Troy Jerry Russell Frank Seth Lance Wesley Danny Brent Manuel Jesus Francisco Philip Henry Johnny Derrick
Rodney Curtis Tony Spencer Cameron Allen Mitchell Luke Garrett Adrian Jorge Ricardo Roger Caleb Logan Dylan Martin
Alan Micheal Albert Carl Billy Bobby Jimmy Roberto Louis Alejandro Lawrence Walter Wayne Edwin Devin Noah Clayton
Isaac Oscar Randall Hector Darren Willie Eddie Ruben Arthur Marc Jack Dale Ricky Colin Geoffrey Maurice Steve Joe
Xavier Tommy Ernest Ronnie Hunter Chase Drew Andre Roy Bryce Omar Javier Fernando Grant Tanner Dominic Angel Jon Max
Eduardo Micah Dalton Angelo Elijah Rafael Barry Darryl Glenn Jay Jermaine Levi Nathaniel Raul Reginald Taylor
Theodore Tyrone Brendan Damon Edgar Leonard Dwayne Frederick Ross Dean Sergio Harold Calvin Marvin Wade Alberto
Terrence Lee Melvin Clinton Kurt Bruce Kirk Gerald Neil Ralph Brad Kelly Gavin Preston Kristopher Damian Pedro Ivan
Ramon Armando Cesar Enrique Andres Julio Marco Arturo Duane Darrell Nelson Byron Morgan Jamie Howard Warren Eugene
Leroy Stanley Gilbert Alfred Clarence Francis Earl Ray Fred Chris Mike Jim Tom Greg Jake Trent Brady Toby Clifford
Julian Owen Riley Parker Connor Garry Roderick Terrance Malik Darius Desmond Quentin Rene Gerardo Jaime Salvador
Alfredo Rodolfo Gustavo Guillermo Israel Abraham Felix Simon Oliver Stuart Miles Brock Heath Dillon Colton Collin
Conner Kenny Perry Rick Herbert Lloyd Vernon Leon Lonnie Dwight Clint Marshall Franklin Allan
""")

FEMALE: Final = _words("""
Jennifer Jessica Lisa Michelle Kimberly Amanda Ashley Mary Sarah Melissa Elizabeth Stephanie Amy Angela Nicole
Heather Patricia Susan Karen Laura Christina Rebecca Rachel Lauren Samantha Emily Megan Kelly Julie Linda Christine
Danielle Andrea Katherine Brittany Maria Tiffany Courtney Crystal Cynthia Erin Sandra Amber Deborah Jamie Sara Tammy
Donna Lori Victoria Vanessa Tina Pamela Wendy Tracy Dawn Shannon Kathleen Alexandra Erica Teresa Barbara April
Natalie Katie Brandi Alicia Robin Denise Kathryn Monica Allison Stacy Jacqueline Holly Hannah Veronica Margaret
Diana Rhonda Theresa Sharon Kristen Brenda Anna Nancy Tara Melanie Cassandra Tonya Kayla Julia Catherine Cheryl
Carrie Kristin Jenna Natasha Leslie Monique Jasmine Valerie Cindy Debra Diane Ann Renee Carol Chelsea Morgan Taylor
Alyssa Kelsey Whitney Paula Regina Dana Stacey Suzanne Gina Misty Heidi Krista Bethany Sherry Candice Krystal Tanya
Kristina Michele Sabrina Meghan Caitlin Martha Kathy Katrina Yolanda Virginia Brooke Felicia Olivia Kara Stephany
Desiree Abigail Molly Ana Leah Erika Carolyn Alexis Janet Debbie Connie Annette Robyn Angelica Jill Haley Adriana
Bonnie Claudia Priscilla Gloria Jordan Marissa Toni Kendra Sheila Tracey Beth Joanna Cassie Karla Sonia Sydney
Kristine Latoya Latasha Dorothy Helen Jenny Meredith Sheri Carla Mackenzie Cristina Gabriela Gabrielle Destiny
Bianca Caroline Brianna Paige Melinda Kimberley Shelly Shelley Shawna Tamara Anita Traci Terri Kerry Rose Ruth
Alison Aimee Hope Casey Kristy Kristi Christy Christie Jodi Jody Joyce Judy Judith Frances Evelyn Alice Jane Jean
Joan Marie Rita Sylvia Yvonne Yvette Vicki Vickie Wanda Peggy Beverly Brandy Brittney Britney Bailey Autumn Audrey
Ashlee Ariel Ariana Arianna Angie Anne Annie Adrienne Alexandria Alisha Alejandra Alissa Allyson Alma Amelia Belinda
Betty Breanna Briana Bridget Brittani Caitlyn Candace Carmen Carly Cathy Charlene Charlotte Chloe Christian Claire
Colleen Cortney Daisy Daniela Darlene Deanna Delia Devon Diamond Dominique Donnell Doris Ebony Eileen Elaine Elena
Ellen Emma Esther Eva Evette Faith Gail Geraldine Ginger Glenda Grace Guadalupe Hailey Irene Isabel Isabella Jackie
Jacquelyn Jade Jaclyn Jaime Janelle Janice Jasmin Jeanette Jeanne Jocelyn Jo Joann Joy Juanita Karina Karin Kari
Kate Katelyn Kathrine Kaitlin Kaitlyn Kellie Kelli Kendall Kerri Kiara Kirsten Krystle Kylie Lacey Latisha Laurel
Laurie Leticia Lillian Lindsay Lindsey Lorraine Louise Lucy Lydia Lynn Mallory Madison Madeline Makayla Mandy
Margarita Maureen Maribel Marilyn Marisa Mckenzie Mercedes Mindy Miranda Mia Miriam Nichole Nina Norma Patty Raven
Rebekah Rosa Roberta Ruby Sally Savannah Selena Selina Shari Shelby Shirley Sierra
""")

LAST: Final = _words("""
Smith Johnson Williams Brown Jones Garcia Miller Davis Rodriguez Martinez Hernandez Lopez Gonzalez Wilson Anderson
Thomas Taylor Moore Jackson Martin Lee Perez Thompson White Harris Sanchez Clark Ramirez Lewis Robinson Walker Young
Allen King Wright Scott Torres Nguyen Hill Flores Green Adams Nelson Baker Hall Rivera Campbell Mitchell Carter
Roberts Gomez Phillips Evans Turner Diaz Parker Cruz Edwards Collins Reyes Stewart Morris Morales Murphy Cook Rogers
Gutierrez Ortiz Morgan Cooper Peterson Bailey Reed Kelly Howard Ramos Kim Cox Ward Richardson Watson Brooks Chavez
Wood James Bennett Gray Mendoza Ruiz Hughes Price Alvarez Castillo Sanders Patel Myers Long Ross Foster Jimenez
Powell Jenkins Perry Russell Sullivan Bell Coleman Butler Henderson Barnes Gonzales Fisher Vasquez Simmons Romero
Jordan Patterson Alexander Hamilton Graham Reynolds Griffin Wallace Moreno West Cole Hayes Bryant Herrera Gibson
Ellis Tran Medina Aguilar Stevens Murray Ford Castro Marshall Owens Harrison Fernandez McDonald Woods Washington
Kennedy Wells Vargas Henry Chen Freeman Webb Tucker Guzman Burns Crawford Olson Simpson Porter Hunter Gordon Mendez
Silva Shaw Snyder Mason Dixon Munoz Hunt Hicks Holmes Palmer Wagner Black Robertson Boyd Rose Stone Salazar Fox
Warren Mills Meyer Rice Schmidt Garza Daniels Ferguson Nichols Stephens Soto Weaver Ryan Gardner Payne Grant Dunn
Kelley Spencer Hawkins Arnold Pierce Hansen Peters Santos Hart Bradley Knight Elliott Cunningham Duncan Armstrong
Hudson Carroll Lane Riley Andrews Alvarado Ray Delgado Berry Perkins Hoffman Johnston Matthews Pena Richards
Contreras Willis Carpenter Lawrence Sandoval Guerrero George Chapman Rios Estrada Ortega Watkins Greene Nunez
Wheeler Valdez Harper Burke Larson Santiago Maldonado Morrison Franklin Carlson Austin Dominguez Carr Lawson Jacobs
Obrien Lynch Singh Vega Bishop Montgomery Oliver Jensen Harvey Williamson Gilbert Dean Sims Espinoza Howell Li Wong
Reid Hanson Le McCoy Garrett Burton Fuller Wang Weber Welch Rojas Lucas Marquez Fields Park Yang Little Banks
Padilla Day Walsh Bowman Schultz Luna Fowler Mejia Davidson Acosta Brewer May Holland Juarez Newman Pearson Curtis
Cortez Douglas Schneider Joseph Barrett Navarro Figueroa Keller Avila Wade Molina Stanley Hopkins Campos Barnett
Bates Chambers Caldwell Beck Lambert Miranda Byrd Craig Ayala Lowe Frazier Powers Neal Leonard Gregory Carrillo
Sutton Fleming Rhodes Shelton Schwartz Norris Jennings Watts Duran Walters Cohen McDaniel Moran Parks Steele Vaughn
Becker Holt Deleon Barker Terry Hale Leon Hail Benson Haynes Horton Miles Lyons Pham Graves Bush Thornton Wolfe
Warner Cabrera McKinney Mann Zimmerman Dawson Lara Fletcher Page McCarthy Love Robles Cervantes Solis Erickson
Reeves Chang Klein Salinas Fuentes Baldwin Daniel Simon Velasquez Hardy Higgins Aguirre Lin Cummings Chandler Sharp
Barber Bowen Ochoa Dennis Robbins Liu Ramsey Francis Griffith Paul Blair Oconnor Cardenas Pacheco Cross Calderon
Quinn Moss Swanson Chan Rivas Khan Rodgers Serrano Fitzgerald Rosales Stevenson Christensen Manning Gill Curry
McLaughlin Harmon McGee Gross Doyle Garner Newton Burgess Reese Walton Blake Trujillo Adkins Brady Goodman Roman
Webster Goodwin Fischer Huang Potter Delacruz Montoya Todd Wu Hines Mullins Castaneda Malone Cannon Tate Mack
Sherman Hubbard Hodges Zhang Guerra Wolf Valencia Franco Saunders Rowe Gallagher Farmer Hammond Hampton Townsend
Ingram Wise Gallegos Clarke Barton Schroeder Maxwell Waters Logan Camacho Strickland Norman Person Colon Parsons
Frank Harrington Glover Osborne Buchanan Casey Floyd Patton Ibarra Ball Tyler Suarez Bowers Orozco Salas Cobb Gibbs
Andrade Bauer Conner Moody Escobar McGuire Lloyd Mueller Hartman French Kramer McBride Pope Lindsey Velazquez Norton
McCormick Sparks Flynn Yates Hogan Marsh Macias Villanueva Zamora Pratt Stokes Owen Ballard Lang Brock Villarreal
Charles Drake Barrera Cain Patrick Pineda Burnett Mercado Santana Shepherd Bautista Ali Shaffer Lamb Trevino
McKenzie Hess Beil Olsen Cochran Morton Nash Wilkins Petersen Briggs Shah Roth Nicholson Holloway Lozano Rangel
Flowers Hoover Short Arias Mora Valenzuela Bryan Meyers Weiss Underwood Bass Greer Summers Houston Carson Morrow
Clayton Whitaker Decker Yoder Collier Zuniga Carey Wilcox Melendez Poole Roberson Larsen Conley Davenport Copeland
Massey Lam Huff Rocha Cameron Jefferson Hood Monroe Anthony Pittman Huynh Randall Singleton Kirk Combs Mathis
Christian Skinner Bradford Richard Galvan Wall Boone Kirby Wilkinson Bridges Bruce Atkinson Velez Meza Roy Vincent
York Hodge Villa Abbott Allison Tapia Gates Chase Sosa Sweeney Farrell Wyatt Dalton Horn Barron Phelps Yu Dickerson
Heath Foley Atkins Mathews Bonilla Acevedo Benitez Zavala Hensley Glenn Cisneros Harrell Shields Rubio Huffman Choi
Boyer Garrison Arroyo Bond Kane Hancock Callahan Dillon Cline Wiggins Grimes Arellano Melton Oneill Savage Ho
Beltran Pitts Parrish Ponce Rich Booth Koch Golden Ware Brennan McDowell Marks Cantu Humphrey Baxter Sawyer Clay
Tanner Hutchinson Kaur Berg Wiley Gilmore Russo Villegas Hobbs Keith Wilkerson Ahmed Beard McClain Montes Mata
Rosario Vang Walter Henson Oneal Mosley McClure Beasley Stephenson Snow Huerta Preston Vance Barry Johns Eaton
Blackwell Dyer Prince Macdonald Solomon Guevara Stafford English Hurst Woodard Cortes Shannon Kemp Nolan McCullough
Merritt Murillo Moon Salgado Strong Kline Cordova Barajas Roach Rosas Winters Jacobson Lester Knox Bullock Kerr
Leach Meadows Orr Davila Whitehead Pruitt Kent Conway McKee Barr David Dejesus Marin Berger McIntyre Blankenship
Gaines Palacios Cuevas Bartlett Durham Dorsey McCall Odonnell Stein Browning Stout Lowery Sloan McLean Hendricks
Calhoun Sexton Chung Gentry Hull Duarte Ellison Nielsen Gillespie Buck Middleton Sellers Leblanc Esparza Hardin
Bradshaw McIntosh Howe Livingston Frost Glass Morse Knapp Herman Stark Bravo Noble Spears Weeks Corona Frederick
Buckley McFarland Hebert Enriquez Hickman Quintero Randolph Schaefer Walls Trejo House Reilly Pennington Michael
Conrad Giles Benjamin Crosby Fitzpatrick Donovan Mays Mahoney Valentine Raymond Medrano Hahn McMillan Small Bentley
Felix Peck Lucero Boyle Hanna Pace Rush Hurley Harding McConnell Bernal Nava Ayers Everett Ventura Avery Pugh Mayer
Bender Shepard McMahon Landry Case Sampson Moses Magana Blackburn Dunlap Gould Duffy Vaughan Herring McKay Espinosa
Rivers Farley Bernard Ashley Friedman Potts Truong Costa Correa Blevins Nixon Clements Fry Delarosa Best Benton Lugo
Portillo Dougherty Crane Haley Phan Villalobos Blanchard Horne Finley Quintana Lynn Esquivel Bean Dodson Mullen
Xiong Hayden Cano Levy Huber Richmond Moyer Lim Frye Sheppard McCarty Avalos Booker Waller Parra Woodward Jaramillo
Krueger Rasmussen Brandt Peralta Donaldson Stuart Faulkner Maynard Galindo Coffey Estes Sanford Burch Maddox Vo
Oconnell Vu Andersen Spence McPherson Church Schmitt Stanton Leal Cherry Compton Dudley Sierra Pollard Alfaro Hester
Proctor Lu Hinton Novak Good Madden McCann Terrell Jarvis Dickson Reyna Cantrell Mayo Branch Hendrix Rollins Rowland
Whitney Duke Odom Daugherty Travis Tang Archer Coates
""")

STATES: Final = """
Alabama
Alaska
Arizona
Arkansas
California
Colorado
Connecticut
Delaware
Florida
Georgia
Hawaii
Idaho
Illinois
Indiana
Iowa
Kansas
Kentucky
Louisiana
Maine
Maryland
Massachusetts
Michigan
Minnesota
Mississippi
Missouri
Montana
Nebraska
Nevada
New Hampshire
New Jersey
New Mexico
New York
North Carolina
North Dakota
Ohio
Oklahoma
Oregon
Pennsylvania
Rhode Island
South Carolina
South Dakota
Tennessee
Texas
Utah
Vermont
Virginia
Washington
West Virginia
Wisconsin
Wyoming
""".strip().splitlines()
