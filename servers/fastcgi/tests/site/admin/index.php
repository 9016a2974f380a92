<?php
header('Content-Type: text/plain');
echo 'the admin page of ', $_SERVER['SCRIPT_NAME'];
